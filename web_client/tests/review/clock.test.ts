import { describe, expect, it } from "vitest";
import { correction, faster, MasterClock, slower } from "../../src/review/clock";

describe("the master clock", () => {
  it("runs at its speed and stands when paused", () => {
    const clock = new MasterClock(100);
    clock.run(true, 1000);
    expect(clock.at(3000)).toBeCloseTo(2);
    clock.setSpeed(4, 3000);
    expect(clock.at(4000)).toBeCloseTo(6);
    clock.run(false, 4000);
    expect(clock.at(9000)).toBeCloseTo(6);
  });

  it("stays within the recording", () => {
    const clock = new MasterClock(10);
    clock.seek(-5, 0);
    expect(clock.at(0)).toBe(0);
    clock.seek(9, 0);
    clock.run(true, 0);
    expect(clock.at(5000)).toBe(10);
  });
});

/** A track that obeys its corrections, 20 times a second. */
function settle(drift: number, speed: number, seconds: number): number {
  let apart = drift;
  for (let i = 0; i < seconds * 20; i++) {
    const next = correction(apart, speed);
    if (next.kind === "jump") apart = 0.01;
    else apart += ((next.kind === "rate" ? next.rate : speed) - speed) / 20;
  }
  return apart;
}

describe("a track that is off the clock", () => {
  it.each([0.25, 1, 4])("is back within 80 ms after two seconds at speed %d, and never swings", (speed) => {
    for (const drift of [-3, -0.3, -0.09, 0, 0.05, 0.2, 3]) {
      const apart = settle(drift, speed, 4 / Math.min(1, speed));
      expect(Math.abs(apart), `${drift} at ${speed}`).toBeLessThan(0.08);
    }
  });

  it("is left alone when nobody would notice", () => {
    expect(correction(0.015, 1)).toEqual({ kind: "none" });
  });
});

describe("speeds", () => {
  it("go from a quarter to four and no further", () => {
    expect(faster(1)).toBe(1.5);
    expect(faster(4)).toBe(4);
    expect(slower(1)).toBe(0.5);
    expect(slower(0.25)).toBe(0.25);
  });
});
