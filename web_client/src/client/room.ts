/** The room as this client knows it: a value, and one pure function from event to next value. */
import type { ChatLine, ParticipantInfo, PublicationInfo, RoomInfo, ServerEvent } from "./protocol";

/** A publication and when (page clock, ms) its state was told: `silent_ms` counts on from there. */
export interface Publication extends PublicationInfo {
  toldAtMs: number;
  /** The layer this client is being sent; undefined until told. */
  forwarded?: number | null;
}

export interface Room {
  id: string;
  participants: ReadonlyMap<string, ParticipantInfo>;
  publications: ReadonlyMap<string, Publication>;
  chat: readonly ChatLine[];
}

/** Lines kept; older ones fall off so that a long operation does not fill the page. */
const MAX_CHAT_LINES = 500;

export const EMPTY_ROOM: Room = { id: "", participants: new Map(), publications: new Map(), chat: [] };

/** The room a `hello` tells; the chat is kept, since a hello does not repeat it. */
export function roomOf(info: RoomInfo, nowMs: number, previous: Room = EMPTY_ROOM): Room {
  return {
    id: info.id,
    participants: new Map(info.participants.map((p) => [p.id, p])),
    publications: new Map(
      info.publications.map((p) => [p.id, { ...p, toldAtMs: nowMs, forwarded: previous.publications.get(p.id)?.forwarded }]),
    ),
    chat: previous.chat,
  };
}

export function after(room: Room, event: ServerEvent, nowMs: number): Room {
  switch (event.type) {
    case "participant_joined":
    case "participant_changed":
      return { ...room, participants: put(room.participants, event.participant.id, event.participant) };
    case "participant_left":
      return withoutParticipant(room, event.participant);
    case "published":
    case "publication_changed": {
      const forwarded = room.publications.get(event.publication.id)?.forwarded;
      const told = { ...event.publication, toldAtMs: nowMs, forwarded };
      return { ...room, publications: put(room.publications, told.id, told) };
    }
    case "unpublished":
      return { ...room, publications: without(room.publications, event.publication) };
    case "layer_forwarded": {
      const known = room.publications.get(event.publication);
      if (known === undefined) return room;
      return { ...room, publications: put(room.publications, known.id, { ...known, forwarded: event.layer }) };
    }
    case "chat_line":
      return { ...room, chat: [...room.chat, event].slice(-MAX_CHAT_LINES) };
    case "offer":
    case "transport":
    case "closing":
      return room;
  }
}

function withoutParticipant(room: Room, participant: string): Room {
  const publications = new Map([...room.publications].filter(([, p]) => p.participant !== participant));
  return { ...room, participants: without(room.participants, participant), publications };
}

function put<V>(map: ReadonlyMap<string, V>, key: string, value: V): ReadonlyMap<string, V> {
  return new Map(map).set(key, value);
}

function without<V>(map: ReadonlyMap<string, V>, key: string): ReadonlyMap<string, V> {
  const copy = new Map(map);
  copy.delete(key);
  return copy;
}
