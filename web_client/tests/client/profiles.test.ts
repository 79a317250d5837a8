import { describe, expect, it } from "vitest";
import { layerForHeight, PROFILES } from "../../src/client/profiles";

describe("profiles", () => {
  it("gives detail sources one layer that keeps its resolution, moving ones three", () => {
    for (const type of ["ultrasound", "monitor", "other"] as const) {
      expect(PROFILES[type]).toMatchObject({ contentHint: "detail", degradation: "maintain-resolution" });
      expect(PROFILES[type].encodings).toHaveLength(1);
    }
    for (const type of ["endoscope", "overhead", "room"] as const) {
      expect(PROFILES[type].contentHint).toBe("motion");
      expect(PROFILES[type].encodings.map((e) => [e.rid, e.scaleResolutionDownBy])).toEqual([["l", 4], ["m", 2], ["h", 1]]);
    }
  });

  it.each([
    [180, 0], [225, 0], [226, 1], [450, 1], [451, null], [1_080, null],
  ])("a tile %d px high takes layer %s of a 720p source", (height, layer) => {
    expect(layerForHeight(height, 720, [0, 1, 2])).toBe(layer);
  });

  it("wishes nothing for a single layer or an unknown size", () => {
    expect(layerForHeight(100, 720, [0])).toBeNull();
    expect(layerForHeight(100, 0, [0, 1, 2])).toBeNull();
    expect(layerForHeight(230, 360, [0, 1])).toBeNull();
  });
});
