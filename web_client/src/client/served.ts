import type { Freshness } from "./freshness";
import type { SourceQuality } from "./protocol";

/** What the server sends on purpose in place of a moving picture: it must look neither live nor broken. */
export type Served = { kind: "still"; ageMs: number } | { kind: "withheld" };

/** A still may be so much older than the time between two: it has to be encoded and to arrive. */
const STILL_LATE_MS = 3_000;

export function servedState(source: SourceQuality | undefined, freshness: Freshness): Served | undefined {
  if (source === undefined) return undefined;
  if (source.layer === null && (source.reason === "link" || source.reason === "priority")) return { kind: "withheld" };
  if (source.still_seconds === null || !("ageMs" in freshness)) return undefined;
  // One that does not come any more is a frozen picture like any other.
  return freshness.ageMs <= source.still_seconds * 1_000 + STILL_LATE_MS ? { kind: "still", ageMs: freshness.ageMs } : undefined;
}
