/** The protocol's names as the rest of the client uses them; shapes come from the server's own schema. */
import type * as wire from "./protocol.generated";

export const PROTOCOL = "loupe.v1.json";

export type {
  ChatLine, Closing, EncodingWanted, Hello, IceServer, Limits, Offer, ParticipantInfo, PublicationInfo, PublishedAnswer,
  RecordingInterruption, Resume, Right, Role, RoomInfo, RoomRecording, SendingWanted, Source, SourceQuality, SubscribedSource,
  TransportState,
} from "./protocol.generated";
export type ErrorMessage = wire.Error;
/** The server's word on this client's leg. */
export type ServedQuality = wire.Quality;
/** A participant's place on the survival ladder. */
export type Standing = wire.StandingChanged;
export type Step = Standing["step"];
export type TroubleCause = NonNullable<Standing["cause"]>;
export type Reason = wire.SourceQuality["reason"];
export type Request = wire.Request;
export type Response = wire.Response;
export type ServerEvent = wire.Event;
export type ServerMessage = Response | ServerEvent;
export type SourceType = wire.Source["source_type"];
export type Kind = wire.PublicationInfo["kind"];

/** A request as callers write it: the connection adds the id. */
export type RequestBody = Request extends infer R ? (R extends Request ? Omit<R, "id"> : never) : never;

/** What answers a request of this type. */
export type AnswerTo<T extends Request["type"]> =
  T extends "publish" ? wire.PublishedAnswer : T extends "ping" ? wire.Pong : T extends "join" ? wire.Hello : wire.Ok;

/** Parses one frame; undefined when it is not a message this client can know (a newer server may send more). */
export function parseMessage(text: string): ServerMessage | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || !("type" in value)) return undefined;
  return typeof value.type === "string" && KNOWN.has(value.type) ? (value as ServerMessage) : undefined;
}

/** Every tag the server may send; the `satisfies` fails to compile when the schema grows or shrinks. */
const TAGS = {
  hello: true, ok: true, pong: true, error: true, published_answer: true, offer: true, participant_joined: true,
  participant_changed: true, participant_left: true, published: true, publication_changed: true, unpublished: true,
  layer_forwarded: true, standing: true, quality: true, sending_wanted: true, chat_line: true, recording: true,
  recording_interrupted: true, transport: true, closing: true,
} satisfies Record<ServerMessage["type"], true>;
const KNOWN: ReadonlySet<string> = new Set(Object.keys(TAGS));
