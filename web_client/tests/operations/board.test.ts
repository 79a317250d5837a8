import { describe, expect, it } from "vitest";
import { ageSeconds, isStale, serverNowMs } from "../../src/operations/age";
import type { Received } from "../../src/operations/age";
import { heardAs, unheard } from "../../src/operations/bell";
import type { Alert, Board, RoomDetail, Sample } from "../../src/operations/model.generated";
import { pathOf } from "../../src/operations/path";
import { searchOf, selectedOf } from "../../src/operations/place";
import { appended, chartsOf, KEPT_MS, summaryOf } from "../../src/operations/series";

const received = (sampledMs: number | null): Received => ({
  board: { at_ms: 1_000_000, sampled_at_ms: sampledMs, stale_after_seconds: 15 } as Board, receivedMs: 500,
});

describe("the age of the data", () => {
  it("is the server's own, and grows while nothing comes", () => {
    expect(ageSeconds(received(999_000), 500)).toBe(1);
    expect(ageSeconds(received(999_000), 10_500)).toBe(11);
    expect(serverNowMs(received(999_000), 10_500)).toBe(1_010_000);
    expect(ageSeconds(null, 1)).toBeNull();
  });

  it.each([[14_000, false], [16_000, true]])("after %d ms of silence is stale: %s", (ms, stale) => {
    expect(isStale(received(1_000_000), 500 + ms)).toBe(stale);
    expect(isStale(received(null), 500 + ms)).toBe(stale);
  });
});

describe("the address", () => {
  it("says what is open and is read back", () => {
    const open = { room: "R 7&", participant: "p/1", publication: "t", past: 1_700_000_000_000 };
    expect(selectedOf(searchOf(open))).toEqual(open);
    expect(searchOf({ room: null, participant: null, publication: null, past: null })).toBe("");
  });

  it("has no participant without a room", () => {
    expect(selectedOf("?participant=x&track=y")).toEqual({ room: null, participant: null, publication: null, past: null });
  });
});

const sample = (atMs: number, more: Partial<Sample> = {}): Sample => ({ at_ms: atMs, participant: "p", role: "surgeon", ...more });

describe("charts", () => {
  const up = { phase: "connected" as const, bits_per_second: 100, loss_before_ratio: 0.1 };

  it("have one unit each and only what was measured", () => {
    const charts = chartsOf([sample(1_000, { up }), sample(2_000, { up })], null);
    expect(charts.map((c) => c.series.map((s) => s.key))).toEqual([["upRate"], ["upLoss"]]);
    expect(charts[0]?.times).toEqual([1, 2]);
  });

  it("leave a gap where nobody measured", () => {
    const chart = chartsOf([sample(1_000, { up }), sample(60_000, { up })], null)[0];
    expect(chart?.times).toEqual([1, 2, 60]);
    expect(chart?.series[0]?.values).toEqual([100, null, 100]);
  });

  it("show the track that was chosen, as sent or as watched", () => {
    const sources = [{ publication: "a", kind: "video" as const, source_type: "endoscope" as const, bits_per_second: 7 }];
    const views = [{ publication: "b", kind: "video" as const, state: "forwarding" as const, delay_seconds: 0.2 }];
    const samples = [sample(1_000, { sources, views })];
    expect(chartsOf(samples, "a").flatMap((c) => c.series.map((s) => s.values[0]))).toEqual([7]);
    expect(chartsOf(samples, "b").flatMap((c) => c.series.map((s) => s.key))).toContain("trackDelay");
    expect(chartsOf(samples, "none")).toEqual([]);
  });

  it("keep each sample once and ten minutes of them", () => {
    const held = appended([sample(1_000), sample(2_000)], [sample(2_000), sample(3_000)]);
    expect(held.map((s) => s.at_ms)).toEqual([1_000, 2_000, 3_000]);
    expect(appended(held, [sample(2_500 + KEPT_MS)]).map((s) => s.at_ms)).toEqual([3_000, 2_500 + KEPT_MS]);
  });

  it("are told in three numbers", () => {
    expect(summaryOf([null, 3, 1, null, 2])).toEqual({ last: 2, least: 1, most: 3 });
    expect(summaryOf([null])).toBeNull();
  });
});

describe("the path", () => {
  const leg = (phase: "connected" | "interrupted" = "connected") => ({ phase, round_trip_seconds: 0.04, relayed: true });
  const source = { publication: "a", kind: "video" as const, source_type: "endoscope" as const };
  const view = { publication: "a", kind: "video" as const, state: "forwarding" as const };
  const person = (id: string, role: Sample["role"], more: Partial<Sample>, findings: unknown[] = []) =>
    ({ id, role, viewer: false, joined_ms: 0, sample: sample(0, more), findings });

  it("goes from who sends to who watches, the worst first", () => {
    const room = { participants: [
      person("s", "surgeon", { up: leg(), sources: [source] }),
      person("good", "specialist", { down: leg(), views: [view] }),
      person("hurt", "observer", { down: leg(), views: [view] }, [{ severity: "hurt" }]),
      person("away", "observer", { down: leg("interrupted"), views: [view] }),
      person("silent", "staff", { up: leg(), down: leg() }),
    ] } as unknown as RoomDetail;
    const { senders, watchers } = pathOf(room);
    expect(senders.map((l) => [l.participant, l.state, l.rttSeconds, l.relayed])).toEqual([["s", "good", 0.04, true]]);
    expect(watchers.map((l) => [l.participant, l.state])).toEqual([["away", "down"], ["hurt", "hurt"], ["good", "good"]]);
  });
});

describe("the bell", () => {
  it("rings for open alerts once", () => {
    const severity = "watch";
    const [a, b, c] = [
      { id: "a", severity, cleared_ms: null },
      { id: "b", severity, cleared_ms: 5 },
      { id: "c", severity, cleared_ms: null },
    ] as [Alert, Alert, Alert];
    expect(unheard(new Set([heardAs(a)]), [a, b, c])).toEqual([c]);
  });

  it("rings again for one that comes to hurt", () => {
    const noticed = { id: "a", severity: "watch", cleared_ms: null } as Alert;
    const hurts = { ...noticed, severity: "hurt" } as Alert;
    expect(unheard(new Set([heardAs(noticed)]), [hurts])).toEqual([hurts]);
    expect(unheard(new Set([heardAs(noticed), heardAs(hurts)]), [hurts])).toEqual([]);
  });
});
