/**
 * The WebSocket conversation of one session: join, requests with typed answers, ordered events, heartbeat, and resume
 * after a dropped socket. Knows nothing of media.
 */
import { signal } from "@preact/signals";
import type { ReadonlySignal } from "@preact/signals";
import { backoffMs } from "./backoff";
import { Disconnected, JoinRefused, RequestRefused } from "./errors";
import { parseMessage, PROTOCOL } from "./protocol";
import type { AnswerTo, Hello, Request, RequestBody, Response, ServerEvent } from "./protocol";

export const WEBSOCKET_PATH = "/ws";

/** Where the session stands. Exactly one at a time; what it needs to say travels with it. */
export type Phase =
  | { kind: "idle" }
  | { kind: "joining"; attempt: number }
  | { kind: "joined"; hello: Hello }
  | { kind: "reconnecting"; attempt: number; sinceMs: number }
  | { kind: "ended"; reason: string };

/** The part of `WebSocket` that is used; the `ws` package's class fits too. */
export interface Socket {
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(text: string): void;
  close(code?: number): void;
}

export interface SignallingOptions {
  url: string;
  name: string;
  /** A fresh join token for each socket; raises `JoinRefused`. */
  token: () => Promise<string>;
  socket: (url: string, protocol: string) => Socket;
  random?: () => number;
}

/** Whom to tell. `hello` comes after each join, resumed or not, before any event that follows it. */
export interface Listener {
  hello(hello: Hello): void;
  event(event: ServerEvent): void;
}

/** No answer to a join, or to a heartbeat, within this: the socket is taken for dead. */
const ANSWER_LIMIT_MS = 8_000;
const PROBE_LIMIT_MS = 2_500;
/** A refused join is followed by a close that says what to do; a server that forgets it is not waited for. */
const REFUSAL_LIMIT_MS = 1_000;
/** Close codes after which coming back cannot help (docs/protocol.md, column "retry": no). */
const FINAL_CODES: ReadonlySet<number> = new Set([1000, 1009, 4400, 4402, 4403, 4409, 4412]);
/** Close codes after which only a new session helps (docs/protocol.md, column "retry": join). */
const ANEW_CODES: ReadonlySet<number> = new Set([1013, 4401, 4410, 4432]);
/** Refusals that a new token or a new session cures, whatever their `retryable` says. */
const CURABLE: ReadonlySet<string> = new Set(["session_gone", "token_used", "unauthorized"]);
/** A request that must not be sent twice, even if its answer was lost. */
const ONCE: ReadonlySet<Request["type"]> = new Set(["chat", "join", "ping", "statistics"]);

interface Pending {
  request: Request;
  resolve: (answer: Response) => void;
  reject: (error: Error) => void;
}

type Refusal = Extract<Response, { type: "error" }>;
type Timer = ReturnType<typeof setTimeout>;

export class Signalling {
  private readonly now = signal<Phase>({ kind: "idle" });
  private socket: Socket | null = null;
  private nextId = 1;
  private lastSeq = 0;
  private last: Hello | null = null;
  private attempt = 0;
  private refusal: Refusal | null = null;
  private readonly pending = new Map<number, Pending>();
  private retry: Timer | undefined;
  private heartbeat: Timer | undefined;
  private deadline: Timer | undefined;

  constructor(
    private readonly options: SignallingOptions,
    private readonly listener: Listener,
  ) {}

  get phase(): ReadonlySignal<Phase> {
    return this.now;
  }

  start(): void {
    if (this.now.value.kind !== "idle") return;
    this.now.value = { kind: "joining", attempt: 0 };
    void this.connect();
  }

  /** Sends a request; waits through a reconnect that resumes. Raises `RequestRefused` or `Disconnected`. */
  request<B extends RequestBody>(body: B): Promise<AnswerTo<B["type"]>> {
    if (this.now.value.kind === "ended") return Promise.reject(new Disconnected());
    const request = { ...body, id: this.nextId++ };
    return new Promise((resolve, reject) => {
      this.pending.set(request.id, { request, resolve: resolve as (answer: Response) => void, reject });
      if (this.now.value.kind === "joined") this.write(request);
    });
  }

  /** Says goodbye and ends; nothing is retried afterwards. */
  leave(): void {
    if (this.now.value.kind === "joined") this.write({ type: "leave", id: this.nextId++ });
    this.end("left");
  }

  /** The network changed or woke up: find out now whether the socket still lives, and do not wait for the backoff. */
  probe(): void {
    const phase = this.now.value.kind;
    if (phase === "joined") {
      this.ping(PROBE_LIMIT_MS);
    } else if ((phase === "reconnecting" || phase === "joining") && this.retry !== undefined) {
      clearTimeout(this.retry);
      this.retry = undefined;
      void this.connect();
    }
  }

  /** Gives up the session on the server's side and joins anew: for media that cannot be brought back otherwise. */
  rejoin(): void {
    if (this.now.value.kind !== "joined") return;
    this.write({ type: "leave", id: this.nextId++ });
    this.last = null;
    this.drop();
  }

  private async connect(): Promise<void> {
    let token: string;
    try {
      token = await this.options.token();
    } catch (error) {
      if (error instanceof JoinRefused && !error.retryable) this.end(error.code);
      else this.later();
      return;
    }
    if (this.now.value.kind === "ended") return;
    const socket = this.options.socket(this.options.url, PROTOCOL);
    this.socket = socket;
    const mine = (): boolean => this.socket === socket;
    socket.onopen = () => mine() && this.opened(token);
    socket.onmessage = (event: { data: unknown }) => mine() && this.received(String(event.data));
    socket.onclose = (event: { code: number }) => mine() && this.closed(event.code);
    socket.onerror = () => undefined; // a close always follows
    this.limit(ANSWER_LIMIT_MS);
  }

  private opened(token: string): void {
    const resume = this.last && {
      session: this.last.session, token: this.last.resume_token, seq: this.lastSeq,
    };
    this.write({ type: "join", id: this.nextId++, token, name: this.options.name, resume });
  }

  private received(text: string): void {
    const message = parseMessage(text);
    if (message === undefined) return;
    clearTimeout(this.deadline);
    this.deadline = undefined;
    if ("seq" in message && message.type !== "hello") this.ordered(message);
    else if (message.type === "hello") this.joined(message);
    else if (message.type === "error" && this.now.value.kind !== "joined") this.refused(message);
    else this.answered(message);
  }

  private ordered(event: ServerEvent): void {
    if (event.seq <= this.lastSeq) return; // replayed, but already seen
    this.lastSeq = event.seq;
    this.listener.event(event);
    if (event.type !== "closing") return;
    if (event.reconnect) {
      this.last = null;
      this.drop();
    } else this.end(event.reason);
  }

  private joined(hello: Hello): void {
    // What a resumed session missed follows as events after the seq we named; a new session starts at the room's own.
    if (!hello.resumed) this.lastSeq = hello.seq;
    this.last = hello;
    this.attempt = 0;
    // What the listener asks for now belongs to this session and is sent by `request`.
    const before = [...this.pending];
    this.now.value = { kind: "joined", hello };
    this.listener.hello(hello);
    for (const [id, { request, reject }] of before) {
      if (hello.resumed && !ONCE.has(request.type)) this.write(request);
      else {
        this.pending.delete(id);
        reject(new Disconnected());
      }
    }
    this.beat(hello.limits.heartbeat_seconds);
  }

  private refused(error: Refusal): void {
    this.refusal = error;
    this.limit(REFUSAL_LIMIT_MS);
  }

  private answered(answer: Response): void {
    const pending = this.pending.get(answer.id ?? -1);
    if (pending === undefined) return;
    this.pending.delete(pending.request.id);
    if (answer.type === "error") pending.reject(new RequestRefused(answer));
    else pending.resolve(answer);
  }

  private beat(seconds: number): void {
    clearInterval(this.heartbeat);
    this.heartbeat = setInterval(() => this.ping(ANSWER_LIMIT_MS), seconds * 1_000);
  }

  private ping(limitMs: number): void {
    this.write({ type: "ping", id: this.nextId++ });
    this.limit(limitMs);
  }

  /** Anything received lifts the limit; silence beyond it drops the socket. */
  private limit(ms: number): void {
    clearTimeout(this.deadline);
    this.deadline = setTimeout(() => this.drop(), ms);
  }

  private drop(): void {
    const socket = this.socket;
    if (socket === null) return;
    this.closed(1006);
    socket.close();
  }

  private closed(code: number): void {
    this.socket = null;
    this.still();
    if (this.now.value.kind === "ended") return;
    const refusal = this.refusal;
    this.refusal = null;
    const final = refusal !== null && !refusal.retryable && !CURABLE.has(refusal.code);
    if (final || FINAL_CODES.has(code)) {
      this.end(refusal?.code ?? `closed_${code}`);
      return;
    }
    if (this.last !== null && (ANEW_CODES.has(code) || refusal?.code === "session_gone")) {
      // The server is there and only does not know us any more: no reason to wait as for one that is away.
      this.last = null;
      this.attempt = 0;
    }
    this.later();
  }

  private later(): void {
    if (this.now.value.kind === "ended") return;
    const attempt = this.attempt++;
    const phase = this.now.value;
    if (phase.kind === "joined") this.now.value = { kind: "reconnecting", attempt, sinceMs: Date.now() };
    else if (phase.kind === "reconnecting") this.now.value = { ...phase, attempt };
    else this.now.value = { kind: "joining", attempt };
    this.retry = setTimeout(() => {
      this.retry = undefined;
      void this.connect();
    }, backoffMs(attempt, (this.options.random ?? Math.random)()));
  }

  private end(reason: string): void {
    if (this.now.value.kind === "ended") return;
    this.now.value = { kind: "ended", reason };
    this.still();
    clearTimeout(this.retry);
    for (const { reject } of this.pending.values()) reject(new Disconnected());
    this.pending.clear();
    this.socket?.close(1000);
    this.socket = null;
  }

  private still(): void {
    clearInterval(this.heartbeat);
    clearTimeout(this.deadline);
    this.deadline = undefined;
  }

  private write(request: Request): void {
    this.socket?.send(JSON.stringify(request));
  }
}
