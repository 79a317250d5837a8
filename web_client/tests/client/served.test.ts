import { expect, it } from "vitest";
import { servedState } from "../../src/client/served";

const source = {
  publication: "a", layer: 0, still_seconds: 5, reason: "link", upload_loss: 0, upload_jitter_ms: 0,
} as const;

it("calls a still what is one, with its age, and a still that does not come any more frozen", () => {
  expect(servedState(source, { kind: "frozen", ageMs: 4_200 })).toEqual({ kind: "still", ageMs: 4_200 });
  expect(servedState(source, { kind: "frozen", ageMs: 8_001 })).toBeUndefined();
  expect(servedState({ ...source, still_seconds: null }, { kind: "frozen", ageMs: 4_200 })).toBeUndefined();
});

it("holds a picture back only for the link's sake", () => {
  const nothing = { ...source, layer: null, still_seconds: null };
  expect(servedState(nothing, { kind: "frozen", ageMs: 9_000 })).toEqual({ kind: "withheld" });
  expect(servedState({ ...nothing, reason: "hidden" }, { kind: "waiting" })).toBeUndefined();
  expect(servedState(undefined, { kind: "live" })).toBeUndefined();
});
