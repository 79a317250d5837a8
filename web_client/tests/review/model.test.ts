import { describe, expect, it } from "vitest";
import { chaptersOf, clockText, frameSeconds, gapAt, gapsOf, momentFragment, momentOf, receptionOf, segmentAfter, segmentAt } from "../../src/review/model";
import type { Detail, Segment, Track } from "../../src/review/model";

const segment = (number: number, start: number, seconds: number, gaps: Segment["gaps"] = []): Segment => ({
  number, start, seconds, media_type: "video/webm", size: 1, gaps, dimensions: [320, 240], pictures: 25 * seconds, packets: 1000, lost: 0,
});
const track = (...segments: Segment[]): Track => ({ id: "t1", kind: "video", source_type: "endoscope", label: "", segments });

describe("segments", () => {
  const two = track(segment(0, 0, 60), segment(1, 60.04, 60), segment(2, 130, 10));

  it("are found by the moment", () => {
    expect(segmentAt(two, 0)?.number).toBe(0);
    expect(segmentAt(two, 60.01)?.number).toBe(0);
    expect(segmentAt(two, 60.04)?.number).toBe(1);
    expect(segmentAt(two, 125)).toBeNull();
    expect(segmentAt(two, 139)?.number).toBe(2);
    expect(segmentAt(track(), 1)).toBeNull();
  });

  it("tell how far it is to the next picture, of whatever camera", () => {
    const fast = track({ ...segment(0, 0, 60), pictures: 3600 });
    expect(frameSeconds(fast, 30)).toBeCloseTo(1 / 60);
    expect(frameSeconds(fast, 300)).toBeCloseTo(1 / 25);
    expect(frameSeconds(undefined, 30)).toBeCloseTo(1 / 25);
  });

  it("have a successor or none", () => {
    expect(segmentAfter(two, two.segments[0] as Segment)?.number).toBe(1);
    expect(segmentAfter(two, two.segments[2] as Segment)).toBeNull();
  });
});

describe("gaps", () => {
  const late = track(segment(0, 2, 10, [{ start: 5, end: 6, reason: "lost" }]), segment(1, 20, 5));

  it("are marked ones and the spaces around segments", () => {
    expect(gapsOf(late, 30).map((gap) => [gap.start, gap.end, gap.reason])).toEqual([
      [0, 2, "not_recorded"], [5, 6, "lost"], [12, 20, "not_recorded"], [25, 30, "not_recorded"],
    ]);
  });

  it("take the reason that the segment behind them gives", () => {
    const muted = track(segment(0, 0, 10), segment(1, 20, 5, [{ start: 10, end: 20, reason: "muted" }]));
    expect(gapsOf(muted, 25)).toEqual([{ start: 10, end: 20, reason: "muted" }]);
  });

  it("are known by a moment in them", () => {
    expect(gapAt(late, 5.5)?.reason).toBe("lost");
    expect(gapAt(late, 7)).toBeNull();
    expect(gapAt(late, 99)?.reason).toBe("not_recorded");
  });
});

const detail: Detail = {
  entry: { id: "r1", room: "7QK2", state: "sealed", started_ms: 0, seconds: 100, title: "", reference: "", staff: [] },
  seconds: 100,
  tracks: [],
  bookmarks: [{ id: "b", seconds: 50, label: "Kẹp động mạch", live: true }],
  events: [
    { seconds: -1, name: "joined", track: null, value: "surgeon" },
    { seconds: 10, name: "layers", track: "t1", value: 2 },
  ],
  rights: [],
  use: "care" as const, view: "v1", view_seconds: 1, verified: true,
};

describe("chapters", () => {
  it("are bookmarks and comings in order of time, none before the start", () => {
    expect(chaptersOf(detail).map((one) => [one.seconds, one.kind])).toEqual([[0, "start"], [0, "joined"], [50, "bookmark"]]);
  });
});

describe("reception", () => {
  it("is judged by what was lost of each segment", () => {
    const three = track(segment(0, 0, 10), { ...segment(1, 10, 10), lost: 4 }, { ...segment(2, 20, 5), lost: 30 });
    expect(receptionOf(three).map((one) => [one.start, one.end, one.level])).toEqual([
      [0, 10, "good"], [10, 20, "fair"], [20, 25, "poor"],
    ]);
    expect(receptionOf({ ...three, kind: "audio" }).at(-1)?.level).toBe("fair");
  });
});

describe("times", () => {
  it("are read as clocks", () => {
    expect(clockText(3723.96)).toBe("1:02:03");
    expect(clockText(59.96, true)).toBe("0:01:00,0");
    expect(clockText(5.25, true, ".")).toBe("0:00:05.3");
  });

  it("are part of a link and come back from it", () => {
    expect(momentOf(momentFragment("rAb-1_c", 75.52))).toEqual({ recording: "rAb-1_c", seconds: 75.5 });
    expect(momentOf("#recording=r1")).toEqual({ recording: "r1", seconds: 0 });
    for (const other of ["", "#eyJhbGciOi.x.y", "#recording=", "#recording=r1&t=x"]) expect(momentOf(other)).toBeNull();
  });
});
