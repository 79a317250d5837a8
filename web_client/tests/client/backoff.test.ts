import { describe, expect, it } from "vitest";
import { backoffMs, CAP_MS } from "../../src/client/backoff";

describe("backoff", () => {
  it("grows with each try up to the cap", () => {
    const longest = [0, 1, 2, 3, 4, 5, 50].map((attempt) => backoffMs(attempt, 0.999_999));
    expect(longest).toEqual([...longest].sort((a, b) => a - b));
    expect(longest.at(-1)).toBeLessThanOrEqual(CAP_MS);
    expect(longest.at(-1)).toBeGreaterThan(CAP_MS - 10);
  });

  it("spreads the tries of many clients over the whole span", () => {
    expect(backoffMs(4, 0)).toBe(100);
    expect(backoffMs(4, 0.5)).toBeGreaterThan(2_000);
  });

  it("lets 95 of 100 clients try within 5 s of a restart that lasts 1 s", () => {
    let seed = 7;
    const random = (): number => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;
    const firstAfterRestart = Array.from({ length: 1_000 }, () => {
      let at = 0;
      for (let attempt = 0; at < 1_000; attempt++) at += backoffMs(attempt, random());
      return at;
    }).sort((a, b) => a - b);
    expect(firstAfterRestart[949]).toBeLessThanOrEqual(5_000);
    expect(firstAfterRestart[999]).toBeLessThanOrEqual(15_000);
  });
});
