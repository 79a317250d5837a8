import { describe, expect, it } from "vitest";
import { ACTING, FreshnessWatch, WATCHING } from "../../src/client/freshness";

/** Frames every `every` ms over [from, to). */
function play(watch: FreshnessWatch, from: number, to: number, every = 40): void {
  for (let at = from; at < to; at += every) {
    watch.frame(at);
    watch.judge(at);
  }
}

describe("freshness", () => {
  it("waits for the first frame and is then live at once", () => {
    const watch = new FreshnessWatch(ACTING);
    expect(watch.judge(10_000).kind).toBe("waiting");
    watch.frame(10_000);
    expect(watch.judge(10_001).kind).toBe("live");
  });

  it("is late after 0.5 s and frozen after 1 s, with the age of the last frame", () => {
    const watch = new FreshnessWatch(ACTING);
    play(watch, 0, 2_000);
    expect(watch.judge(1_960 + 500).kind).toBe("live");
    expect(watch.judge(1_960 + 501)).toEqual({ kind: "late", ageMs: 501 });
    expect(watch.judge(1_960 + 1_001)).toEqual({ kind: "frozen", ageMs: 1_001 });
    expect(watch.judge(1_960 + 4_000)).toEqual({ kind: "frozen", ageMs: 4_000 });
  });

  it("leaves observers three seconds", () => {
    const watch = new FreshnessWatch(WATCHING);
    play(watch, 0, 1_000);
    expect(watch.judge(960 + 2_900).kind).toBe("late");
    expect(watch.judge(960 + 3_001).kind).toBe("frozen");
  });

  it("clears an alarm only after one second without a gap", () => {
    const watch = new FreshnessWatch(ACTING);
    play(watch, 0, 1_000);
    expect(watch.judge(3_000).kind).toBe("frozen");
    play(watch, 3_000, 3_920);
    expect(watch.judge(3_920).kind).toBe("frozen");
    play(watch, 3_920, 4_080);
    expect(watch.judge(4_080).kind).toBe("live");
  });

  it("starts the second anew when a gap interrupts it", () => {
    const watch = new FreshnessWatch(ACTING);
    play(watch, 0, 1_000);
    watch.judge(3_000);
    play(watch, 3_000, 3_800);
    play(watch, 4_400, 5_200);
    expect(watch.judge(5_200).kind).toBe("frozen");
    play(watch, 5_200, 5_480);
    expect(watch.judge(5_480).kind).toBe("live");
  });

  it("believes the server that a source is silent while frames still drain from the buffer", () => {
    const watch = new FreshnessWatch(ACTING);
    play(watch, 0, 1_000);
    watch.silent(1_200, 1_000);
    watch.frame(1_040);
    expect(watch.judge(1_050)).toEqual({ kind: "frozen", ageMs: 1_250 });
  });

  it("believes its own eyes when frames go on well after the server's word", () => {
    const watch = new FreshnessWatch(ACTING);
    play(watch, 0, 1_000);
    watch.silent(600, 1_000);
    expect(watch.judge(1_010).kind).toBe("late");
    play(watch, 1_000, 2_700);
    expect(watch.judge(2_700).kind).toBe("live");
  });

  it("takes nothing for fresh after a pause in watching", () => {
    const watch = new FreshnessWatch(ACTING);
    play(watch, 0, 1_000);
    watch.restart();
    expect(watch.judge(1_010).kind).toBe("waiting");
  });
});
