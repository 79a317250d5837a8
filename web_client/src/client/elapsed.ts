/** Hours, minutes and seconds since a moment, as a clock shows them. */
export function elapsed(sinceMs: number, untilMs: number): string {
  const seconds = Math.max(0, Math.floor((untilMs - sinceMs) / 1_000));
  const two = (n: number): string => String(n).padStart(2, "0");
  return `${Math.floor(seconds / 3_600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}
