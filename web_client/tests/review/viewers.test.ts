import { describe, expect, it } from "vitest";
import { changeFrom, numbered, runAt } from "../../src/review/viewers";
import type { Run, Viewer } from "../../src/review/viewers";

const run = (start: number, end: number, level: Run["level"]): Run => ({ start, end, level, reason: null });
const runs = [run(10, 60, "full"), run(60, 70, "frozen"), run(90, 120, "full")];
const viewer = (participant: string, role: Viewer["role"]): Viewer => ({ participant, role, runs });

describe("viewers", () => {
  it("are numbered where a role has several, in order of arrival", () => {
    const found = numbered([viewer("a", "observer"), viewer("b", "specialist"), viewer("c", "observer")]);
    expect(found.map((one) => [one.viewer.participant, one.number])).toEqual([["a", 1], ["b", null], ["c", 2]]);
  });

  it("got what the run at the moment says, and nothing is known between runs", () => {
    expect(runAt(runs, 10)?.level).toBe("full");
    expect(runAt(runs, 60)?.level).toBe("frozen");
    expect(runAt(runs, 75)).toBeNull();
    expect(runAt(runs, 120)).toBeNull();
  });

  it("have changes to go to, on and back, up to either end", () => {
    expect(changeFrom(runs, 0, 1)).toBe(10);
    expect(changeFrom(runs, 60, 1)).toBe(70);
    expect(changeFrom(runs, 60, -1)).toBe(10);
    expect(changeFrom(runs, 120, 1)).toBeNull();
    expect(changeFrom(runs, 10, -1)).toBeNull();
  });
});
