import { expect, it } from "vitest";
import { elapsed } from "../../src/client/elapsed";

it("shows hours, minutes and seconds, and never less than nothing", () => {
  expect([0, 999, 61_000, 3_599_000, 36_061_000].map((ms) => elapsed(5, 5 + ms))).toEqual([
    "0:00:00", "0:00:00", "0:01:01", "0:59:59", "10:01:01",
  ]);
  expect(elapsed(1_000, 0)).toBe("0:00:00");
});
