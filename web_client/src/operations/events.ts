/** The timeline of a live room as it grows: the newest are kept, and each once. Pure. */
import type { TimelineEvent } from "./model.generated";

/** A list that is longer helps nobody to find anything. */
export const MAX_EVENTS = 2_000;

/** From when on to ask again: events of one moment may come in two answers. */
export function askFrom(held: readonly TimelineEvent[], sinceMs: number): number {
  return Math.max(sinceMs, held.at(-1)?.at_ms ?? 0);
}

/** `fresh` are all events from `fromMs` on. */
export function grown(
  held: readonly TimelineEvent[], fresh: readonly TimelineEvent[], fromMs: number, sinceMs: number,
): TimelineEvent[] {
  const before = held.filter((event) => event.at_ms < fromMs && event.at_ms >= sinceMs);
  return [...before, ...fresh].slice(-MAX_EVENTS);
}
