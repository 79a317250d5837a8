import { describe, expect, it } from "vitest";
import type { Standing, Step } from "../../src/client/protocol";
import { standingNews } from "../../src/client/standings";

function told(step?: Step): ReadonlyMap<string, Standing> {
  if (step === undefined) return new Map();
  return new Map([["p", { type: "standing", seq: 1, participant: "p", step, cause: "link" }]]);
}

describe("what the room hears of somebody's link", () => {
  it("is each step without moving pictures, and the way back", () => {
    expect(standingNews(told(), told("stills"))).toEqual([["p", "stills"]]);
    expect(standingNews(told("stills"), told("sound"))).toEqual([["p", "sound"]]);
    expect(standingNews(told("sound"), told("silent"))).toEqual([["p", "silent"]]);
    expect(standingNews(told("silent"), told("stills"))).toEqual([["p", "stills"]]);
    expect(standingNews(told("stills"), told("reduced"))).toEqual([["p", "again"]]);
    expect(standingNews(told("sound"), told())).toEqual([["p", "again"]]);
  });

  it("is nothing while pictures move, and nothing twice", () => {
    expect(standingNews(told(), told("reduced"))).toEqual([]);
    expect(standingNews(told("reduced"), told())).toEqual([]);
    expect(standingNews(told("sound"), told("sound"))).toEqual([]);
  });
});
