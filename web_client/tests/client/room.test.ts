import { describe, expect, it } from "vitest";
import type { PublicationInfo, RoomInfo } from "../../src/client/protocol";
import { after, EMPTY_ROOM, roomOf } from "../../src/client/room";

const publication = (id: string, participant = "p1"): PublicationInfo => ({
  id, participant, kind: "video", codec: "VP8", label: "Nội soi", source_type: "endoscope", muted: false, layers: [0, 1, 2],
  silent_ms: 0,
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

  it("notes when a silence was told", () => {
    const silent = { ...publication("a"), silent_ms: 700 };
    const room = after(roomOf(info, 0), { type: "publication_changed", seq: 3, publication: silent }, 1_234);
    expect(room.publications.get("a")).toMatchObject({ silent_ms: 700, toldAtMs: 1_234 });
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
