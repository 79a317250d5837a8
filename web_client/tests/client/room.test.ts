import { describe, expect, it } from "vitest";
import type { PublicationInfo, RoomInfo } from "../../src/client/protocol";
import { after, EMPTY_ROOM, roomOf, servedOf } from "../../src/client/room";

const publication = (id: string, participant = "p1"): PublicationInfo => ({
  id, participant, kind: "video", codec: "VP8", label: "Nội soi", source_type: "endoscope", muted: false, layers: [0, 1, 2],
  silent_ms: 0, encodings: 3,
});
const info: RoomInfo = {
  id: "7QK2",
  participants: [{ id: "p1", name: "An", role: "surgeon", connected: true }, { id: "p2", name: "B", role: "observer", connected: true }],
  publications: [publication("a"), publication("b", "p2")],
};

describe("room", () => {
  it("takes a hello as it is and keeps the chat", () => {
    const chatted = after(EMPTY_ROOM, { type: "chat_line", seq: 1, participant: "p1", name: "An", text: "x", time_ms: 0 }, 0);
    const room = roomOf(info, 5, chatted);
    expect([...room.publications.keys()]).toEqual(["a", "b"]);
    expect(room.publications.get("a")?.toldAtMs).toBe(5);
    expect(room.chat).toHaveLength(1);
  });

  it("loses a participant's publications with the participant", () => {
    const room = after(roomOf(info, 0), { type: "participant_left", seq: 2, participant: "p1" }, 0);
    expect([...room.participants.keys()]).toEqual(["p2"]);
    expect([...room.publications.keys()]).toEqual(["b"]);
  });

  it("knows who sees less than they should, for as long as they do", () => {
    const told = { type: "standing", seq: 2, participant: "p2", step: "stills", cause: "link" } as const;
    const poor = after(roomOf(info, 0), told, 0);
    expect(poor.standings.get("p2")?.step).toBe("stills");
    expect(after(poor, { ...told, step: "full", cause: "publisher" }, 0).standings.size).toBe(1);
    expect(after(poor, { ...told, step: "full", cause: null }, 0).standings.size).toBe(0);
    expect(after(poor, { type: "participant_left", seq: 3, participant: "p2" }, 0).standings.size).toBe(0);
  });

  it("finds how a publication is served in the last word about it", () => {
    const source = {
      publication: "a", layer: 0, still_seconds: 5, reason: "link", upload_loss: 0, upload_jitter_ms: 0,
    } as const;
    const quality = {
      type: "quality", seq: 4, step: "stills", cause: "link", estimate_kbit: 60, sent_kbit: 40, loss: 0, rtt_ms: 90, jitter_ms: null, queue_ms: 0,
      repair_overhead: 0, sources: [source],
    } as const;
    const room = after(roomOf(info, 0), { ...quality, sources: [...quality.sources] }, 0);
    expect(servedOf(room, "a")).toEqual(source);
    expect(servedOf(room, "b")).toBeUndefined();
  });

  it("notes when a silence was told", () => {
    const silent = { ...publication("a"), silent_ms: 700 };
    const room = after(roomOf(info, 0), { type: "publication_changed", seq: 3, publication: silent }, 1_234);
    expect(room.publications.get("a")).toMatchObject({ silent_ms: 700, toldAtMs: 1_234 });
  });

  it("knows whether the room is being recorded, on coming and after", () => {
    const recorded = roomOf({ ...info, recording: { recording: "r1", since_ms: 7 } }, 0);
    expect(recorded.recording).toEqual({ recording: "r1", since_ms: 7 });
    const ended = after(recorded, { type: "recording", seq: 4, state: "withdrawn", recording: "r1", since_ms: 7 }, 0);
    expect(ended.recording).toBeNull();
    const again = after(ended, { type: "recording", seq: 5, state: "recording", recording: "r2", since_ms: 9 }, 0);
    expect(again.recording).toEqual({ recording: "r2", since_ms: 9 });
    expect(roomOf(info, 0).recording).toBeNull();
  });

  it("knows that a recording was interrupted, from hello or an event, until that is settled", () => {
    const interruption = { recording: "r1", procedure: "p1" };
    expect(roomOf(info, 0).interruption).toBeNull();
    expect(roomOf({ ...info, interruption }, 0).interruption).toEqual(interruption);
    const told = after(roomOf(info, 0), { type: "recording_interrupted", seq: 4, interruption }, 0);
    expect(told.interruption).toEqual(interruption);
    expect(after(told, { type: "recording_interrupted", seq: 5, interruption: null }, 0).interruption).toBeNull();
  });

  it("keeps the forwarded layer when a publication changes", () => {
    const told = after(roomOf(info, 0), { type: "layer_forwarded", seq: 3, publication: "a", layer: 1 }, 0);
    const changed = after(told, { type: "publication_changed", seq: 4, publication: publication("a") }, 0);
    expect(changed.publications.get("a")?.forwarded).toBe(1);
    expect(after(changed, { type: "layer_forwarded", seq: 5, publication: "gone", layer: 1 }, 0)).toBe(changed);
  });

  it("never changes the room it was given", () => {
    const before = roomOf(info, 0);
    after(before, { type: "unpublished", seq: 9, publication: "a" }, 0);
    expect(before.publications.has("a")).toBe(true);
  });

  it("keeps at most 500 lines of chat", () => {
    let room = EMPTY_ROOM;
    for (let seq = 1; seq <= 510; seq++) {
      room = after(room, { type: "chat_line", seq, participant: "p", name: "", text: String(seq), time_ms: 0 }, 0);
    }
    expect(room.chat).toHaveLength(500);
    expect(room.chat[0]?.text).toBe("11");
  });
});
