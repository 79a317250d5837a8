import { describe, expect, it } from "vitest";
import { ClaimReader, link } from "../../src/client/claims";
import type { Entry } from "../../src/client/claims";

const inbound = (values: Record<string, number>): Entry[] => [{ type: "inbound-rtp", id: "in", ...values }];

describe("claims of a view", () => {
  it("are of the time since the message before, and unknown in the first", () => {
    const reader = new ClaimReader();
    const begin = {
      framesDecoded: 100, framesDropped: 0, packetsLost: 5, packetsReceived: 1000, freezeCount: 1, totalFreezesDuration: 2,
      totalDecodeTime: 1, retransmittedPacketsReceived: 5, jitterBufferDelay: 10, jitterBufferEmittedCount: 100,
    };
    const first = reader.view("p", inbound(begin), null);
    expect(first.loss).toBeNull();
    expect(first.freezes).toBe(0);
    const second = reader.view("p", inbound({
      framesDecoded: 140, framesDropped: 10, packetsLost: 25, packetsReceived: 1080, freezeCount: 3,
      totalFreezesDuration: 2.5, totalDecodeTime: 1.4, retransmittedPacketsReceived: 15, jitterBufferDelay: 14,
      jitterBufferEmittedCount: 140,
    }), 2);
    expect(second).toMatchObject({
      frames_per_second: 20, loss: 0.1, freezes: 2, freeze_ms: 500, dropped: 0.2, decode_ms: 10, buffer_ms: 100,
    });
  });

  it("say nothing of a counter that began anew, and stay within what the server takes", () => {
    const reader = new ClaimReader();
    reader.view("p", inbound({ packetsLost: 50, packetsReceived: 500, framesDecoded: 90 }), null);
    const view = reader.view("p", inbound({ packetsLost: 1, packetsReceived: 2, framesDecoded: 90_000_000 }), 2);
    expect(view.loss).toBeNull();
    expect(view.frames_per_second).toBe(1_000);
  });

  it("count invented sound, but not invented silence", () => {
    const reader = new ClaimReader();
    reader.view("a", inbound({ concealedSamples: 0, silentConcealedSamples: 0, totalSamplesReceived: 0 }), null);
    const view = reader.view(
      "a", inbound({ concealedSamples: 3000, silentConcealedSamples: 1000, totalSamplesReceived: 40_000 }), 2,
    );
    expect(view.concealed).toBe(0.05);
  });
});

describe("claims of a source", () => {
  it("tell a camera that gives nothing from an encoder that does not keep up", () => {
    const reader = new ClaimReader();
    const entries = (captured: number, encoded: number, reason: string): Entry[] => [
      { type: "media-source", id: "camera", frames: captured },
      { type: "outbound-rtp", id: "low", frameHeight: 180, framesEncoded: encoded * 2, qualityLimitationReason: "none" },
      { type: "outbound-rtp", id: "top", frameHeight: 720, frameWidth: 1280, framesEncoded: encoded,
        totalEncodeTime: encoded * 0.05, qualityLimitationReason: reason },
    ];
    reader.source("p", entries(0, 0, "none"), null);
    expect(reader.source("p", entries(50, 20, "cpu"), 2)).toMatchObject({
      captured_per_second: 25, encoded_per_second: 10, encode_ms: 50, limited_by: "cpu", height: 720, width: 1280,
    });
    expect(reader.source("p", entries(50, 20, "none"), 2)).toMatchObject({ captured_per_second: 0, limited_by: null });
  });
});

describe("claims of a link", () => {
  const pair = { type: "candidate-pair", id: "pair", nominated: true, state: "succeeded", localCandidateId: "mine" };
  it("say whether it goes through a relay", () => {
    const sample = { rttMs: 12.34, loss: 0.0123456, kbitPerSecond: 1, limitedBy: null };
    const entries = (kind: string): Entry[] => [pair, { type: "local-candidate", id: "mine", candidateType: kind }];
    expect(link(entries("relay"), sample)).toEqual({ round_trip_ms: 12.3, loss: 0.0123, relayed: true });
    expect(link(entries("host"), null)).toEqual({ round_trip_ms: null, loss: null, relayed: false });
    expect(link([], null).relayed).toBeNull();
  });
});
