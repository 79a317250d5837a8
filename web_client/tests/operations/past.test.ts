import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { dayOf, dayText, found, midnight, momentOf, named, sampleAt, timeText } from "../../src/operations/days";
import { askFrom, grown, MAX_EVENTS } from "../../src/operations/events";
import { OperationsApi } from "../../src/operations/api";
import type { CauseText, RoomSpan, Sample, TimelineEvent } from "../../src/operations/model.generated";
import { en } from "../../src/i18n/en";
import { vi as vietnamese } from "../../src/i18n/vi";

// The words name their language in the document; nothing else of a browser is needed to write a line.
vi.stubGlobal("document", { documentElement: {} });
const { language } = await import("../../src/i18n");
const { detailOf, evidenceOf, sized } = await import("../../src/operations/said");

const event = (atMs: number, kind: TimelineEvent["kind"] = "joined", detail = ""): TimelineEvent => ({ at_ms: atMs, kind, detail });

describe("the timeline of a live room", () => {
  it("asks again from the last moment held and has each event once", () => {
    const held = [event(1), event(2)];
    const from = askFrom(held, 0);
    expect(from).toBe(2);
    expect(grown(held, [event(2), event(2, "left"), event(3)], from, 0).map((e) => e.at_ms)).toEqual([1, 2, 2, 3]);
  });

  it("loses what is older than it shows and keeps the newest when there are too many", () => {
    expect(grown([event(1), event(5)], [event(9)], 9, 4).map((e) => e.at_ms)).toEqual([5, 9]);
    const many = Array.from({ length: MAX_EVENTS + 5 }, (_, i) => event(i));
    const kept = grown([], many, 0, 0);
    expect(kept).toHaveLength(MAX_EVENTS);
    expect(kept.at(-1)?.at_ms).toBe(MAX_EVENTS + 4);
  });
});

describe("what is read of a span", () => {
  afterEach(() => vi.stubGlobal("fetch", undefined));

  it("is followed to its end, and its bound is said", async () => {
    const asked: string[] = [];
    let last = 3;
    vi.stubGlobal("fetch", (address: string) => {
      if (!address.includes("timeline")) return Promise.resolve(Response.json({ token: "t" }));
      asked.push(address);
      const page = asked.length;
      return Promise.resolve(Response.json({ events: [event(page)], next: page === last ? null : `c${String(page)}` }));
    });
    const api = new OperationsApi("invitation");
    expect(await api.timeline("R", { fromMs: 7, toMs: 9 })).toEqual({
      found: [event(1), event(2), event(3)], more: false, droppedBeforeMs: null,
    });
    expect(asked[0]).toContain("from=7&to=9&limit=5000");
    expect(asked[2]).toContain("cursor=c2");
    last = Infinity;
    asked.length = 0;
    expect((await api.timeline("R", {})).more).toBe(true);
    expect(asked).toHaveLength(10);
  });

  it("says before when a full history has dropped samples", async () => {
    vi.stubGlobal("fetch", (address: string) =>
      Promise.resolve(Response.json(address.includes("history") ? { samples: [], next: null, dropped_before_ms: 8 } : { token: "t" })));
    expect(await new OperationsApi("invitation").samples("R", { fromMs: 1, toMs: 9 })).toEqual({ found: [], more: false, droppedBeforeMs: 8 });
  });

  it("is written in the times of the reader's place", async () => {
    const asked: URL[] = [];
    vi.stubGlobal("fetch", (address: string) => {
      asked.push(new URL(address, "http://loupe"));
      return Promise.resolve(Response.json({ token: "t" }));
    });
    const api = new OperationsApi("invitation");
    await api.report("R", { fromMs: 1, toMs: 9 }, "vi");
    await api.csv("R", { fromMs: 1, toMs: 9 });
    const zones = asked.filter((address) => address.pathname.includes("/rooms/R/")).map((address) => address.searchParams.get("zone"));
    const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
    expect(zones).toEqual([here, here]);
  });
});

describe("days and moments", () => {
  const noon = new Date(2027, 4, 6, 12, 30, 15).getTime();

  it("are those of the reader's place", () => {
    const { fromMs, toMs } = dayOf(noon);
    expect(toMs - fromMs).toBe(24 * 3_600_000);
    expect(dayText(noon)).toBe("2027-05-06");
    expect(midnight(dayText(noon))).toBe(fromMs);
    expect(timeText(noon)).toBe("12:30:15");
    expect(momentOf("10:32", noon)).toBe(new Date(2027, 4, 6, 10, 32).getTime());
    expect([momentOf("", noon), midnight("")]).toEqual([null, null]);
  });

  it("find rooms by a part of their name", () => {
    const span = (room: string): RoomSpan => ({ span: 1, room, clinical_class: "surgery", opened_ms: 1, closed_ms: null });
    expect(found([span("OR-7"), span("consult")], " or-").map((s) => s.room)).toEqual(["OR-7"]);
    expect(found([span("OR-7"), span("~-1f")], "")).toHaveLength(1);
  });

  it("call a room by its name where one answer knows it", () => {
    const span = (id: number, room: string): RoomSpan => ({ span: id, room, clinical_class: "surgery", opened_ms: id, closed_ms: null });
    expect(named([span(1, "~-a"), span(2, "~-b"), span(1, "OR-7")]).map((s) => s.room)).toEqual(["~-b", "OR-7"]);
    expect(named([span(1, "OR-7"), span(1, "~-a")]).map((s) => s.room)).toEqual(["OR-7"]);
  });

  it("know what was true only near a sample", () => {
    const sample = (atMs: number): Sample => ({ at_ms: atMs, participant: "p", role: "observer" });
    const samples = [sample(1_000), sample(2_000)];
    expect(sampleAt(samples, 2_500)?.at_ms).toBe(2_000);
    expect(sampleAt(samples, 999)).toBeNull();
    expect(sampleAt(samples, 60_000)).toBeNull();
  });
});

describe("words for what was measured", () => {
  beforeEach(() => { language.value = "en"; });
  const causes = new Map<string, CauseText>([
    ["relay", { cause: "relay", title: { vi: "Trung chuyển", en: "The relay" }, action: { vi: "a", en: "b" } }],
  ]);

  it("have a size that people read", () => {
    expect([sized(0.35, "seconds"), sized(12, "seconds"), sized(1_800, "seconds"), sized(14_400, "seconds")])
      .toEqual(["350 ms", "12 s", "30 min", "4 h"]);
    expect([sized(0.125, "ratio"), sized(150_000, "bits_per_second"), sized(2.5e9, "bytes")]).toEqual(["12.5 %", "0.2 Mbit/s", "2.5 GB"]);
  });

  it("say measure, value and limit, and of a yes only itself", () => {
    const evidence = [
      { measure: "loss_before" as const, value: 0.125, limit: 0.1, unit: "ratio" as const },
      { measure: "interrupted" as const, value: 1, limit: 0, unit: "" as const },
    ];
    expect(evidenceOf(evidence)).toBe("loss before repair: 12.5 % (limit 10 %); connection lost");
    const raised = { ...event(1, "finding_raised", "relay hurt"), evidence };
    expect(detailOf(raised, causes)).toBe(`The relay (hurt): ${evidenceOf(evidence)}`);
  });

  it.each([
    [event(1, "joined", "surgeon"), en.roles.surgeon],
    [event(1, "published", "endoscope"), en.sourceTypes.endoscope],
    [event(1, "layers_changed", "0 1"), "level 0, 1"],
    [event(1, "layers_changed"), "no picture"],
    [event(1, "layer_forwarded", "1 link"), "level 1 (the viewer's link carries no more)"],
    [event(1, "layer_forwarded", "none silent"), "no picture (nothing is heard of the viewer's device)"],
    [event(1, "layer_forwarded"), "no picture"],
    [event(1, "layer_forwarded", "2"), "level 2"],
    [event(1, "transport", "subscribe interrupted"), "from the server: interrupted"],
    [event(1, "joined", "word of another version"), "word of another version"],
  ])("tell an event more exactly: %o", (of, said) => {
    expect(detailOf(of, causes)).toBe(said);
  });

  it("differ between the languages for every measure", () => {
    const { measures } = en.operations;
    for (const [code, said] of Object.entries(measures)) {
      expect(vietnamese.operations.measures[code as keyof typeof measures], code).not.toBe(said);
    }
  });
});
