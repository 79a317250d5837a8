/** The operations interface over HTTP (docs/operations-api.md): a bearer token that is exchanged anew when it ends. */
import { JoinRefused } from "../client/errors";
import { codeOf, exchange } from "../client/invitation";
import type { AlertPage, Board, HistoryPage, RoomDetail, TimelinePage } from "./model.generated";

const LIMIT_MS = 8_000;

/** What the server refused, by its code. */
export class Refusal extends Error {
  constructor(readonly code: string, readonly status: number) {
    super(`the server refused: ${code}`);
    this.name = "Refusal";
  }
}

export type Action =
  | { kind: "keyframe"; room: string; publication: string }
  | { kind: "mute"; room: string; publication: string; muted: boolean }
  | { kind: "limit"; room: string; publication: string; layer: number | null }
  | { kind: "reconnect"; room: string; participant: string }
  | { kind: "remove"; room: string; participant: string }
  | { kind: "drain" };

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

  timeline(room: string, fromMs: number): Promise<TimelinePage> {
    return this.get(`/operations/rooms/${encodeURIComponent(room)}/timeline?from=${Math.round(fromMs)}`);
  }

  history(room: string, participant: string, fromMs: number): Promise<HistoryPage> {
    const query = new URLSearchParams({ participant, from: String(Math.round(fromMs)) });
    return this.get(`/operations/rooms/${encodeURIComponent(room)}/history?${query.toString()}`);
  }

  /** A printable report, as a document of its own: a link could not carry the token. */
  async report(room: string, fromMs: number, language: string): Promise<Blob> {
    const query = new URLSearchParams({ from: String(Math.round(fromMs)), language });
    const answer = await this.ask("GET", `/operations/rooms/${encodeURIComponent(room)}/report.html?${query.toString()}`);
    return answer.blob();
  }

  /** Raises `Refusal`; that of a drain names why. */
  async act(action: Action): Promise<void> {
    const { method, path, body } = requestOf(action);
    await this.ask(method, path, body);
  }

  private async get<T>(path: string): Promise<T> {
    return (await (await this.ask("GET", path)).json()) as T;
  }

  private async ask(method: string, path: string, body?: unknown): Promise<Response> {
    let answer = await this.send(method, path, body);
    if (answer.status === 401) {
      // Ten minutes are over: the invitation brings another token, or says that it was withdrawn.
      this.token = null;
      answer = await this.send(method, path, body);
    }
    if (answer.ok) return answer;
    throw new Refusal(await codeOf(answer), answer.status);
  }

  private async send(method: string, path: string, body: unknown): Promise<Response> {
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
        method, cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(LIMIT_MS),
        headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch {
      throw new JoinRefused("network", true);
    }
  }
}

function requestOf(action: Action): { method: string; path: string; body?: unknown } {
  if (action.kind === "drain") return { method: "POST", path: "/operations/drain", body: {} };
  const room = `/operations/rooms/${encodeURIComponent(action.room)}`;
  if (action.kind === "reconnect") {
    return { method: "POST", path: `${room}/participants/${encodeURIComponent(action.participant)}/reconnect`, body: {} };
  }
  if (action.kind === "remove") {
    const path = `/rooms/${encodeURIComponent(action.room)}/participants/${encodeURIComponent(action.participant)}`;
    return { method: "DELETE", path };
  }
  const publication = `${room}/publications/${encodeURIComponent(action.publication)}`;
  if (action.kind === "keyframe") return { method: "POST", path: `${publication}/keyframe`, body: {} };
  if (action.kind === "mute") return { method: "PUT", path: `${publication}/muted`, body: { muted: action.muted } };
  return { method: "PUT", path: `${publication}/top-layer`, body: { layer: action.layer } };
}
