/** The operations interface over HTTP (docs/operations-api.md): a bearer token that is exchanged anew when it ends. */
import { JoinRefused } from "../client/errors";
import { codeOf, exchange } from "../client/invitation";
import type {
  AlertPage, Board, CauseList, HistoryPage, RoomDetail, RoomSpan, RoomSpanPage, Sample, TimelineEvent, TimelinePage,
} from "./model.generated";
import type { Causes } from "./said";

const LIMIT_MS = 8_000;
/** Of a report or an export: the server gives up after a minute. */
const FILE_LIMIT_MS = 65_000;
/** Pages of one reading: what is longer is looked at in a shorter span. */
const MAX_PAGES = 10;
const LARGE_PAGE = 5_000;

/** All that was read, and whether there is more. */
export interface Reading<T> {
  found: T[];
  more: boolean;
  /** What is older was dropped: the history was full, or its time was over. */
  droppedBeforeMs: number | null;
}

interface Page {
  next: string | null;
  dropped_before_ms?: number | null;
}

type Pages = Pick<TimelinePage, "events"> & Pick<HistoryPage, "samples"> & Pick<RoomSpanPage, "spans">;

export interface Span {
  fromMs: number;
  toMs: number;
}

/** What the server refused, by its code. */
export class Refusal extends Error {
  constructor(readonly code: string, readonly status: number) {
    super(`the server refused: ${code}`);
    this.name = "Refusal";
  }
}

/** What an operator can tell an administrator of a request that failed. */
export function codeOfFailure(error: unknown): string {
  if (error instanceof Refusal) return error.code;
  return isTimeout(error) ? "timeout" : "network";
}

function isTimeout(error: unknown): boolean {
  return error instanceof DOMException && error.name === "TimeoutError";
}

export type Action =
  | { kind: "keyframe"; room: string; publication: string }
  | { kind: "mute"; room: string; publication: string; muted: boolean }
  | { kind: "thumbnail"; room: string; publication: string }
  | { kind: "limit"; room: string; publication: string; layer: number | null }
  | { kind: "reconnect"; room: string; participant: string }
  | { kind: "remove"; room: string; participant: string }
  | { kind: "drain" };

/** One small picture, and when the server took it. */
export interface Thumbnail {
  picture: Blob;
  takenMs: number;
}

export class OperationsApi {
  private token: Promise<string> | null = null;

  constructor(private readonly invitation: string) {}

  board(): Promise<Board> {
    return this.get("/operations/board");
  }

  room(room: string): Promise<RoomDetail> {
    return this.get(`/operations/rooms/${encodeURIComponent(room)}`);
  }

  openAlerts(): Promise<AlertPage> {
    return this.get("/operations/alerts?open=true&limit=50");
  }

  async causes(): Promise<Causes> {
    const { causes } = await this.get<CauseList>("/operations/causes");
    return new Map(causes.map((text) => [text.cause, text]));
  }

  /** Everything from a moment on, as far as ten pages hold it. */
  async timeline(room: string, span: Partial<Span>): Promise<Reading<TimelineEvent>> {
    return this.all(`/operations/rooms/${encodeURIComponent(room)}/timeline`, asQuery(span), "events");
  }

  /** One participant's samples since a moment. */
  async history(room: string, participant: string, fromMs: number): Promise<Reading<Sample>> {
    return this.all(`/operations/rooms/${encodeURIComponent(room)}/history`, asQuery({ fromMs }, { participant }), "samples");
  }

  /** Everybody's samples of a span, as far as ten pages hold them. */
  async samples(room: string, span: Span): Promise<Reading<Sample>> {
    return this.all(`/operations/rooms/${encodeURIComponent(room)}/history`, asQuery(span), "samples");
  }

  /** Rooms that stood at some moment of a span, newest first; with `room` only that one. */
  async rooms(span: Span, room?: string): Promise<Reading<RoomSpan>> {
    return this.all("/operations/rooms", asQuery(span, room === undefined ? {} : { room }), "spans");
  }

  /** A printable report, as a document of its own: a link could not carry the token. */
  async report(room: string, span: Span, language: string): Promise<Blob> {
    return this.file(room, "report.html", asQuery(span, { language, zone: zone() }));
  }

  /** The samples of a span as text/csv. */
  async csv(room: string, span: Span): Promise<Blob> {
    return this.file(room, "history.csv", asQuery(span, { zone: zone() }));
  }

  /** `reason`: for what interrupts a surgery. Raises `Refusal`; its code says where one is needed. */
  async act(action: Action, reason = ""): Promise<void> {
    const { method, path, body } = requestOf(action, reason);
    await this.ask(method, path, body);
  }

  /** Nobody keeps it: not the server, not this page. Raises as `act`. */
  async thumbnail(action: Action & { kind: "thumbnail" }): Promise<Thumbnail> {
    const { method, path, body } = requestOf(action, "");
    const answer = await this.ask(method, path, body);
    return { picture: await answer.blob(), takenMs: Number(answer.headers.get("Loupe-Taken-At")) };
  }

  private async file(room: string, name: string, query: URLSearchParams): Promise<Blob> {
    const path = `/operations/rooms/${encodeURIComponent(room)}/${name}?${query.toString()}`;
    return (await this.ask("GET", path, undefined, FILE_LIMIT_MS)).blob();
  }

  private async all<K extends "events" | "samples" | "spans">(
    path: string, query: URLSearchParams, key: K,
  ): Promise<Reading<Pages[K][number]>> {
    query.set("limit", String(LARGE_PAGE));
    const found: Pages[K][number][] = [];
    let droppedBeforeMs: number | null = null;
    for (let pages = 0; pages < MAX_PAGES; pages += 1) {
      const page = await this.get<Pick<Pages, K> & Page>(`${path}?${query.toString()}`);
      found.push(...page[key]);
      droppedBeforeMs = page.dropped_before_ms ?? null;
      if (page.next === null) return { found, more: false, droppedBeforeMs };
      query.set("cursor", page.next);
    }
    return { found, more: true, droppedBeforeMs };
  }

  private async get<T>(path: string): Promise<T> {
    return (await (await this.ask("GET", path)).json()) as T;
  }

  private async ask(method: string, path: string, body?: unknown, limitMs = LIMIT_MS): Promise<Response> {
    let answer = await this.send(method, path, body, limitMs);
    if (answer.status === 401) {
      // Ten minutes are over: the invitation brings another token, or says that it was withdrawn.
      this.token = null;
      answer = await this.send(method, path, body, limitMs);
    }
    if (answer.ok) return answer;
    throw new Refusal(await codeOf(answer), answer.status);
  }

  private async send(method: string, path: string, body: unknown, limitMs: number): Promise<Response> {
    this.token ??= exchange(this.invitation).then((admission) => admission.token);
    let token: string;
    try {
      token = await this.token;
    } catch (error) {
      this.token = null;
      throw error;
    }
    try {
      return await fetch(`/api/v1${path}`, {
        method, cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(limitMs),
        headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (error) {
      throw isTimeout(error) ? error : new JoinRefused("network", true);
    }
  }
}

/** What the page's own times are in. */
function zone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

function asQuery({ fromMs, toMs }: Partial<Span>, more: Record<string, string> = {}): URLSearchParams {
  return new URLSearchParams({
    ...(fromMs === undefined ? {} : { from: String(Math.round(fromMs)) }),
    ...(toMs === undefined ? {} : { to: String(Math.round(toMs)) }),
    ...more,
  });
}

function requestOf(action: Action, reason: string): { method: string; path: string; body?: unknown } {
  const override = reason === "" ? {} : { override: reason };
  if (action.kind === "drain") return { method: "POST", path: "/operations/drain", body: {} };
  const room = `/operations/rooms/${encodeURIComponent(action.room)}`;
  if (action.kind === "reconnect") {
    return { method: "POST", path: `${room}/participants/${encodeURIComponent(action.participant)}/reconnect`, body: override };
  }
  if (action.kind === "remove") {
    const path = `/rooms/${encodeURIComponent(action.room)}/participants/${encodeURIComponent(action.participant)}`;
    return { method: "DELETE", path, body: override };
  }
  const publication = `${room}/publications/${encodeURIComponent(action.publication)}`;
  if (action.kind === "keyframe" || action.kind === "thumbnail") {
    return { method: "POST", path: `${publication}/${action.kind}`, body: {} };
  }
  if (action.kind === "mute") return { method: "PUT", path: `${publication}/muted`, body: { muted: action.muted, ...override } };
  return { method: "PUT", path: `${publication}/top-layer`, body: { layer: action.layer } };
}
