/** When to try again: exponential, capped, with full jitter so that a restarted server is not met by all at once. */

export const FIRST_MS = 300;
export const CAP_MS = 5_000;
const FACTOR = 2;
/** No try comes sooner than this after the one before. */
const FLOOR_MS = 100;

/** Milliseconds to wait before try number `attempt` (first is 0); `random` is in [0, 1). */
export function backoffMs(attempt: number, random: number): number {
  const ceiling = Math.min(CAP_MS, FIRST_MS * FACTOR ** Math.max(0, attempt));
  return FLOOR_MS + Math.floor(random * (ceiling - FLOOR_MS));
}
