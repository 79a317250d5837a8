import { describe, expect, it } from "vitest";
import { kbitOf, summary, withDownload } from "../../src/client/precall";
import type { Sample } from "../../src/client/precall";
import { grade } from "../../src/client/precall_grades";
import type { Grade, Item, Measured } from "../../src/client/precall_grades";
import type { LinkSample } from "../../src/client/statistics";

const link = (kbitPerSecond: number, more: Partial<LinkSample> = {}): LinkSample =>
  ({ kbitPerSecond, rttMs: 20, loss: 0, limitedBy: null, ...more });

const GOOD: Measured = {
  websocketMs: 30, path: "direct", upKbit: 2_200, downKbit: 1_700, upLoss: 0, downLoss: 0, rttMs: 40,
  downUntried: false, cpuShort: false,
};

describe("summary", () => {
  it("takes a rate that was held for three seconds, not a burst", () => {
    const rates = [100, 900, 5_000, 900, 950, 1_000, 400];
    const samples: Sample[] = rates.map((rate) => ({ up: link(rate), down: link(rate / 2) }));
    const found = summary(samples);
    expect(found.upKbit).toBe(900);
    expect(found.downKbit).toBe(450);
  });

  it("leaves out what was lost while the sender looked for the rate", () => {
    const samples: Sample[] = [0.3, 0.3, 0.3, 0.3, 0.02, 0.04].map((loss) => ({ up: link(900, { loss }), down: link(900) }));
    expect(summary(samples).upLoss).toBeCloseTo(0.03);
  });

  it("gives the median round trip, and null for what nobody measured", () => {
    const rtts = [900, 20, 30, 25, 40];
    expect(summary(rtts.map((rttMs) => ({ up: link(1, { rttMs }), down: link(1) }))).rttMs).toBe(30);
    expect(summary([])).toEqual({
      upKbit: null, downKbit: null, upLoss: null, downLoss: null, rttMs: null, downUntried: false, cpuShort: false,
    });
  });

  it("blames the device when it was short of time for most of the test", () => {
    const short = { up: link(900, { limitedBy: "cpu" as const }), down: link(900) };
    const fine = { up: link(900), down: link(900) };
    expect(summary([...Array<Sample>(4).fill(fine), short, short, fine]).cpuShort).toBe(true);
    expect(summary([...Array<Sample>(4).fill(short), short, fine, fine]).cpuShort).toBe(false);
  });
});

describe("grade", () => {
  const cases: [string, Partial<Measured>, Item, Grade][] = [
    ["no WebSocket", { websocketMs: null, path: null }, "websocket", "poor"],
    ["UDP blocked", { path: null }, "udp", "poor"],
    ["a relay", { path: "relay" }, "udp", "fair"],
    ["an upload for two layers", { upKbit: 700 }, "up", "fair"],
    ["an upload for one layer", { upKbit: 200 }, "up", "poor"],
    ["two percent lost", { upLoss: 0.02 }, "loss", "fair"],
    ["a tenth lost", { downLoss: 0.1 }, "loss", "poor"],
    ["a long way", { rttMs: 200 }, "rtt", "fair"],
    ["a satellite", { rttMs: 650 }, "rtt", "poor"],
    ["a weak computer", { cpuShort: true }, "device", "fair"],
  ];

  it.each(cases)("%s decides a surgeon's light", (_, change, item, expected) => {
    const report = grade({ ...GOOD, ...change }, "surgeon");
    expect(report.findings.find((f) => f.item === item)?.grade).toBe(expected);
    expect(report.grade).toBe(expected);
  });

  it("is green for everybody on a good link", () => {
    for (const role of ["surgeon", "staff", "specialist", "moderator", "observer"] as const) {
      expect(grade(GOOD, role).grade).toBe("good");
    }
  });

  it("asks nobody for what they do not do", () => {
    const noUpload: Measured = { ...GOOD, upKbit: 0, upLoss: 0.5, cpuShort: true };
    const report = grade(noUpload, "observer");
    expect(report.grade).toBe("good");
    expect(report.findings.map((f) => f.item)).toEqual(["websocket", "udp", "down", "loss", "rtt"]);
  });

  it("does not call a way down weak that carried all it was given, nor good", () => {
    const weakSender: Measured = { ...GOOD, upKbit: 900, downKbit: 600, downUntried: true };
    const report = grade(weakSender, "specialist");
    expect(report.findings.find((f) => f.item === "down")?.grade).toBe("unknown");
    expect(report.grade).toBe("fair");
    expect(grade({ ...weakSender, downKbit: 1_500 }, "specialist").grade).toBe("good");
  });

  it("says nothing of rates where no picture came through", () => {
    expect(grade({ ...GOOD, path: null }, "specialist").findings.map((f) => f.item)).toEqual(["websocket", "udp"]);
  });
});

describe("download", () => {
  it("takes the rate after the first chunk, whenever that came", () => {
    expect(kbitOf([{ atMs: 900, bytes: 50_000 }, { atMs: 1_900, bytes: 12_500 }, { atMs: 2_900, bytes: 12_500 }])).toBe(100);
  });

  it("is no figure when too little came, or all at once", () => {
    expect(kbitOf([])).toBeNull();
    expect(kbitOf([{ atMs: 0, bytes: 9_000 }])).toBeNull();
    expect(kbitOf([{ atMs: 0, bytes: 9_000 }, { atMs: 20, bytes: 9_000 }])).toBeNull();
  });

  it("tells a weak way down from one that a weak way up kept from being tried", () => {
    const weak: Measured = { ...GOOD, upKbit: 150, downKbit: 140, downUntried: true };
    expect(grade(weak, "observer").findings.find((f) => f.item === "down")?.grade).toBe("unknown");
    expect(grade(withDownload(weak, 190), "observer").grade).toBe("poor");
    expect(grade(withDownload(weak, 2_900), "observer").grade).toBe("good");
    expect(withDownload(weak, null)).toBe(weak);
  });
});
