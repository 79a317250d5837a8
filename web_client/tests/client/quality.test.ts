import { describe, expect, it } from "vitest";
import type { ParticipantInfo, ServedQuality } from "../../src/client/protocol";
import { blamed, ownQuality, remoteQuality, weakUploader, withStanding } from "../../src/client/quality";
import { EMPTY_ROOM } from "../../src/client/room";
import type { Publication } from "../../src/client/room";
import { Sampler } from "../../src/client/statistics";
import type { LinkSample } from "../../src/client/statistics";

const sample = (loss: number | null, rttMs: number | null, limitedBy: LinkSample["limitedBy"] = null): LinkSample => ({
  loss, rttMs, kbitPerSecond: 0, limitedBy,
});
const person: ParticipantInfo = { id: "p", name: "", role: "surgeon", connected: true };
const source: Publication = {
  id: "a", participant: "p", kind: "video", codec: "VP8", label: "x", source_type: "room", muted: false, layers: [0],
  silent_ms: 0, encodings: 1, toldAtMs: 0,
};
const good = { level: "good", cause: null } as const;

describe("quality", () => {
  it.each([
    [0.03, 300, "good", null], [0.031, 10, "fair", "upload"], [0.01, 301, "fair", "upload"],
    [0.11, 10, "poor", "upload"], [0, 801, "poor", "upload"],
  ])("loss %d and rtt %d ms is %s", (loss, rtt, level, cause) => {
    const links = { publish: { sample: sample(loss, rtt), state: "connected" as const }, subscribe: null };
    expect(ownQuality(links)).toEqual({ level, cause });
  });

  it("names the worse direction, and the device when its encoder is short of it", () => {
    const fine = { sample: sample(0, 10), state: "connected" as const };
    expect(ownQuality({ publish: fine, subscribe: { ...fine, state: "failed" } })).toEqual({ level: "lost", cause: "download" });
    expect(ownQuality({ publish: { ...fine, sample: sample(0, 10, "cpu") }, subscribe: fine })).toEqual({ level: "fair", cause: "device" });
    expect(ownQuality({ publish: null, subscribe: null }).level).toBe("unknown");
  });

  it("blames the other side for its silence and not for our download", () => {
    expect(remoteQuality({ ...person, connected: false }, [source], good, 0)).toEqual({ level: "lost", cause: "remote" });
    expect(remoteQuality(person, [{ ...source, silent_ms: 100 }], good, 350).level).toBe("good");
    expect(remoteQuality(person, [{ ...source, silent_ms: 100 }], good, 450)).toEqual({ level: "poor", cause: "remote" });
    expect(remoteQuality(person, [{ ...source, silent_ms: 900, muted: true }], good, 0).level).toBe("present");
    const weak = { level: "fair", cause: "download" } as const;
    expect(remoteQuality(person, [source], weak, 0)).toEqual(weak);
  });

  it("takes the server's word when that is worse than what the browser counts", () => {
    const told = { type: "standing", seq: 1, participant: "p", step: "sound", cause: "link" } as const;
    expect(withStanding(good, told)).toEqual({ level: "poor", cause: "download" });
    expect(withStanding(good, { ...told, step: "full", cause: "publisher" })).toEqual({ level: "fair", cause: "remote" });
    expect(withStanding({ level: "lost", cause: "upload" }, told)).toEqual({ level: "lost", cause: "upload" });
    expect(withStanding(good, undefined)).toEqual(good);
    expect(remoteQuality(person, [source], good, 0, told)).toEqual({ level: "poor", cause: "remote" });
    // Who suffers from a weak upload is not to blame for it.
    expect(remoteQuality(person, [source], good, 0, { ...told, cause: "publisher" }).level).toBe("good");
  });
});

describe("loss on the way to the server", () => {
  const served = (loss: number, upload: number): ServedQuality => ({
    type: "quality", seq: 1, step: "full", cause: null, estimate_kbit: 2_000, sent_kbit: 900, loss, rtt_ms: 20, jitter_ms: null, queue_ms: 0,
    repair_overhead: 0,
    sources: [{ publication: "a", layer: 2, still_seconds: null, reason: "full", upload_loss: upload, upload_jitter_ms: 0 }],
  });
  const poor = { level: "poor", cause: "download" } as const;

  it("is the other side's trouble, unless our own link loses as well", () => {
    expect(blamed(poor, served(0, 0.2))).toEqual({ level: "poor", cause: "remote" });
    expect(blamed(poor, served(0.1, 0.2))).toEqual(poor);
    expect(blamed(poor, served(0, 0))).toEqual(poor);
    expect(blamed(poor, null)).toEqual(poor);
    expect(blamed({ level: "poor", cause: "upload" }, served(0, 0.2)).cause).toBe("upload");
  });
});

describe("sampler", () => {
  const inbound = (packetsReceived: number, packetsLost: number, bytesReceived: number) => ({
    id: "i", type: "inbound-rtp", packetsReceived, packetsLost, bytesReceived,
  });

  it("tells loss and rate between two samples, not since the start", () => {
    const sampler = new Sampler("subscribe");
    expect(sampler.read([inbound(1_000, 500, 1_000_000)], 0).loss).toBeNull();
    const second = sampler.read([inbound(1_090, 510, 1_250_000)], 2_000);
    expect(second.loss).toBeCloseTo(0.1);
    expect(second.kbitPerSecond).toBeCloseTo(1_000);
  });

  it("starts anew when counters fall, as after a new transport", () => {
    const sampler = new Sampler("subscribe");
    sampler.read([inbound(1_000, 0, 1_000_000)], 0);
    expect(sampler.read([inbound(10, 0, 900)], 1_000)).toMatchObject({ loss: null, kbitPerSecond: 0 });
  });

  it("reads what the far side lost and the encoder's limit from a publishing transport", () => {
    const sampler = new Sampler("publish");
    const entries = (sent: number, lost: number) => [
      { id: "o", type: "outbound-rtp", packetsSent: sent, bytesSent: sent * 1_000, qualityLimitationReason: "bandwidth" },
      { id: "r", type: "remote-inbound-rtp", packetsLost: lost },
      { id: "c", type: "candidate-pair", nominated: true, currentRoundTripTime: 0.05 },
    ];
    sampler.read(entries(100, 0), 0);
    expect(sampler.read(entries(200, 20), 1_000)).toMatchObject({ loss: 0.2, rttMs: 50, limitedBy: "bandwidth" });
  });
});

describe("whose upload is weak", () => {
  const person = (id: string): ParticipantInfo => ({ id, name: id, role: "specialist", connected: true });
  const source = (publication: string, reason: "full" | "publisher", upload_loss: number) => ({
    publication, layer: 0, still_seconds: null, reason, upload_loss, upload_jitter_ms: 0,
  });
  const room = (...sources: ReturnType<typeof source>[]) => ({
    ...EMPTY_ROOM,
    participants: new Map(["a", "b"].map((id) => [id, person(id)])),
    publications: new Map(["a", "b"].map((id) => [`of ${id}`, { id: `of ${id}`, participant: id } as Publication])),
    quality: { sources } as unknown as ServedQuality,
  });

  it("is who sends less than they could, else who loses most on the way in, else nobody", () => {
    expect(weakUploader(room(source("of a", "full", 0.2), source("of b", "publisher", 0)))?.id).toBe("b");
    expect(weakUploader(room(source("of a", "full", 0.02), source("of b", "full", 0.2)))?.id).toBe("b");
    expect(weakUploader(room(source("of a", "full", 0)))).toBeUndefined();
    expect(weakUploader(EMPTY_ROOM)).toBeUndefined();
  });
});
