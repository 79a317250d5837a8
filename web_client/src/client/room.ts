/** The room as this client knows it: a value, and one pure function from event to next value. */
import type {
  ChatLine, ParticipantInfo, PublicationInfo, RecordingInterruption, RoomInfo, RoomRecording, ServedQuality, ServerEvent,
  SourceQuality, Standing,
} from "./protocol";

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
  /** By participant: who sees less than they should, as far as this client is told. */
  standings: ReadonlyMap<string, Standing>;
  /** How this client is served, as last told; null before the first word. */
  quality: ServedQuality | null;
  /** While the room is being recorded; its moment is of the server's clock. */
  recording: RoomRecording | null;
  /** While it should be recorded and nobody went on with it. */
  interruption: RecordingInterruption | null;
}

/** Lines kept; older ones fall off so that a long operation does not fill the page. */
const MAX_CHAT_LINES = 500;

export const EMPTY_ROOM: Room = {
  id: "", participants: new Map(), publications: new Map(), chat: [], standings: new Map(), quality: null, recording: null,
  interruption: null,
};

/** The room a `hello` tells; what a hello does not repeat is kept: the chat, and how everybody is served. */
export function roomOf(info: RoomInfo, nowMs: number, previous: Room = EMPTY_ROOM): Room {
  return {
    id: info.id,
    participants: new Map(info.participants.map((p) => [p.id, p])),
    publications: new Map(
      info.publications.map((p) => [p.id, { ...p, toldAtMs: nowMs, forwarded: previous.publications.get(p.id)?.forwarded }]),
    ),
    chat: previous.chat,
    standings: previous.standings,
    quality: previous.quality,
    recording: info.recording ?? null,
    interruption: info.interruption ?? null,
  };
}

/** How one publication reaches this client; undefined before the server said so. */
export function servedOf(room: Room, publication: string): SourceQuality | undefined {
  return room.quality?.sources.find((source) => source.publication === publication);
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
    case "standing":
      return { ...room, standings: standingsAfter(room, event) };
    case "quality":
      return { ...room, quality: event };
    case "chat_line":
      return { ...room, chat: [...room.chat, event].slice(-MAX_CHAT_LINES) };
    case "recording":
      return {
        ...room,
        recording: event.state === "recording" ? recordingOf(event) : null,
      };
    case "recording_interrupted":
      return { ...room, interruption: event.interruption };
    case "offer":
    case "sending_wanted":
    case "transport":
    case "closing":
      return room;
  }
}

function recordingOf({ recording, since_ms, minutes_left, failing }: RoomRecording): RoomRecording {
  return { recording, since_ms, minutes_left, failing };
}

function withoutParticipant(room: Room, participant: string): Room {
  const publications = new Map([...room.publications].filter(([, p]) => p.participant !== participant));
  const standings = without(room.standings, participant);
  return { ...room, participants: without(room.participants, participant), publications, standings };
}

function standingsAfter(room: Room, told: Standing): ReadonlyMap<string, Standing> {
  const well = told.step === "full" && told.cause === null;
  return well ? without(room.standings, told.participant) : put(room.standings, told.participant, told);
}

function put<V>(map: ReadonlyMap<string, V>, key: string, value: V): ReadonlyMap<string, V> {
  return new Map(map).set(key, value);
}

function without<V>(map: ReadonlyMap<string, V>, key: string): ReadonlyMap<string, V> {
  const copy = new Map(map);
  copy.delete(key);
  return copy;
}
