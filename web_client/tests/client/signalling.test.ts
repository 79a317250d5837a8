import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { Disconnected, JoinRefused, RequestRefused } from "../../src/client/errors";
import type { Hello, Request, ServerEvent } from "../../src/client/protocol";
import { Signalling } from "../../src/client/signalling";

const hello = (id: number, over: Partial<Hello> = {}): Hello => ({
  type: "hello", id, version: 1, session: "S", resume_token: "R", resumed: false, seq: 10, participant: "me", role: "surgeon",
  rights: ["subscribe"], room: { id: "7QK2", participants: [], publications: [] }, ice_servers: [], server_time_ms: 0,
  limits: { message_bytes: 65_536, messages_per_second: 50, sources: 8, subscriptions: 64, resume_seconds: 30, heartbeat_seconds: 10 },
  ...over,
});

/** A real `ws` server whose side of the conversation the test writes. Timers are virtual; sockets are real. */
class Counterpart {
  readonly server = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => "loupe.v1.json" });
  readonly seen: Request[] = [];
  readonly sockets: WebSocket[] = [];
  joined = (join: Request): object | null => hello(join.id);
  answer: (request: Request) => object | null = (request) => ({ type: request.type === "ping" ? "pong" : "ok", id: request.id, server_time_ms: 0 });

  constructor() {
    this.server.on("connection", (socket) => {
      this.sockets.push(socket);
      socket.on("message", (data: Buffer) => {
        const request = JSON.parse(data.toString()) as Request;
        this.seen.push(request);
        const reply = request.type === "join" ? this.joined(request) : this.answer(request);
        if (reply !== null) socket.send(JSON.stringify(reply));
      });
    });
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  tell(message: object): void {
    this.sockets.at(-1)?.send(JSON.stringify(message));
  }

  of(type: Request["type"]): Request[] {
    return this.seen.filter((r) => r.type === type);
  }

  close(): void {
    for (const socket of this.server.clients) socket.terminate();
    this.server.close();
  }
}

describe("signalling", () => {
  let server: Counterpart;
  let client: Signalling;
  let hellos: Hello[];
  let events: ServerEvent[];
  let tokens: number;
  let token: () => Promise<string>;

  /** Lets real sockets speak until the condition holds; virtual time stands still meanwhile. */
  const until = async (what: () => boolean): Promise<void> => {
    for (let turn = 0; turn < 5_000 && !what(); turn++) await new Promise((done) => setImmediate(done));
    expect(what()).toBe(true);
  };
  const is = (kind: string) => (): boolean => client.phase.value.kind === kind;

  beforeEach(async () => {
    vi.useFakeTimers({ now: 0, toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date"] });
    server = new Counterpart();
    await once(server.server, "listening");
    hellos = [];
    events = [];
    tokens = 0;
    token = () => Promise.resolve(`token${++tokens}`);
    client = new Signalling(
      {
        url: "", name: "An", token: () => token(), random: () => 0.5,
        socket: (_url, protocol) => new WebSocket(server.url, protocol),
      },
      { hello: (h) => void hellos.push(h), event: (e) => void events.push(e) },
    );
  });
  afterEach(() => {
    client.leave();
    server.close();
    vi.useRealTimers();
  });

  async function joined(): Promise<void> {
    client.start();
    await until(is("joined"));
  }

  it("joins with a token in the first message and tells the hello", async () => {
    await joined();
    expect(server.seen[0]).toMatchObject({ type: "join", token: "token1", name: "An", resume: null });
    expect(hellos).toHaveLength(1);
  });

  it("matches answers to requests, also out of order and refused", async () => {
    await joined();
    server.answer = () => null;
    const first = client.request({ type: "restart_ice" });
    const second = client.request({ type: "chat", text: "x" });
    await until(() => server.seen.length === 3);
    const [, a, b] = server.seen;
    server.tell({ type: "error", id: b?.id, code: "not_permitted", message: "no", retryable: false, field: null });
    server.tell({ type: "ok", id: a?.id });
    await expect(first).resolves.toMatchObject({ type: "ok" });
    const refused = await second.catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(RequestRefused);
    expect(refused).toMatchObject({ code: "not_permitted", retryable: false });
  });

  it("resumes after a dropped socket with a new token and the last seq, and skips what it already saw", async () => {
    await joined();
    server.tell({ type: "unpublished", seq: 11, publication: "a" });
    await until(() => events.length === 1);
    server.joined = (join) => hello(join.id, { resumed: true, seq: 12 });
    server.sockets[0]?.terminate();
    await until(is("reconnecting"));
    await vi.advanceTimersByTimeAsync(300);
    await until(is("joined"));
    expect(server.of("join")[1]).toMatchObject({ token: "token2", resume: { session: "S", token: "R", seq: 11 } });
    server.tell({ type: "unpublished", seq: 11, publication: "a" });
    server.tell({ type: "unpublished", seq: 12, publication: "b" });
    await until(() => events.length === 2);
    expect(events.map((e) => e.seq)).toEqual([11, 12]);
  });

  it("sends an unanswered request again after a resume, but never a chat line", async () => {
    await joined();
    server.answer = () => null;
    const restart = client.request({ type: "restart_ice" });
    const chat = client.request({ type: "chat", text: "một lần" }).catch((error: unknown) => error);
    await until(() => server.seen.length === 3);
    server.answer = (request) => ({ type: "ok", id: request.id });
    server.joined = (join) => hello(join.id, { resumed: true });
    server.sockets[0]?.terminate();
    await until(is("reconnecting"));
    await vi.advanceTimersByTimeAsync(300);
    await expect(restart).resolves.toMatchObject({ type: "ok" });
    expect(await chat).toBeInstanceOf(Disconnected);
    expect(server.of("restart_ice")).toHaveLength(2);
    expect(server.of("chat")).toHaveLength(1);
  });

  it("lets go of everything when the server knows the session no more", async () => {
    await joined();
    server.answer = () => null;
    const lost = client.request({ type: "restart_ice" }).catch((error: unknown) => error);
    await until(() => server.seen.length === 2);
    server.joined = (join) => hello(join.id, { session: "S2", seq: 3 });
    server.sockets[0]?.terminate();
    await until(is("reconnecting"));
    await vi.advanceTimersByTimeAsync(300);
    await until(() => hellos.length === 2);
    expect(await lost).toBeInstanceOf(Disconnected);
    server.tell({ type: "unpublished", seq: 4, publication: "a" });
    await until(() => events.length === 1);
  });

  it("answers what was asked for on the news of a new session", async () => {
    const asked: Promise<unknown>[] = [];
    client = new Signalling(
      { url: "", name: "An", token: () => token(), socket: (_url, protocol) => new WebSocket(server.url, protocol) },
      { hello: () => void asked.push(client.request({ type: "restart_ice" })), event: () => undefined },
    );
    await joined();
    await expect(asked[0]).resolves.toMatchObject({ type: "ok" });
    expect(server.of("restart_ice")).toHaveLength(1);
  });

  it("asks for a new session when the old one is gone (4410)", async () => {
    await joined();
    server.joined = (join) => {
      if ((join as { resume?: object | null }).resume == null) return hello(join.id);
      queueMicrotask(() => server.sockets.at(-1)?.close(4410));
      return { type: "error", id: join.id, code: "session_gone", message: "gone", retryable: false, field: null };
    };
    server.sockets[0]?.terminate();
    await until(is("reconnecting"));
    await vi.advanceTimersByTimeAsync(300);
    await until(() => server.of("join").length === 2);
    await until(() => vi.getTimerCount() > 0 && server.sockets[1]?.readyState === WebSocket.CLOSED);
    await vi.advanceTimersByTimeAsync(1_000);
    await until(is("joined"));
    expect(server.of("join")[2]).toMatchObject({ resume: null });
  });

  it("gives its session up on the server's side before it joins anew", async () => {
    await joined();
    client.rejoin();
    await until(() => server.of("leave").length === 1);
    await vi.advanceTimersByTimeAsync(1_000);
    await until(is("joined"));
    expect(server.of("join")[1]).toMatchObject({ resume: null });
  });

  it("backs off longer with each failed try", async () => {
    await joined();
    server.joined = () => null;
    token = () => Promise.reject(new JoinRefused("network", true));
    server.sockets[0]?.terminate();
    await until(is("reconnecting"));
    const attempts: number[] = [];
    for (let at = 0; at < 12_000; at += 50) {
      await vi.advanceTimersByTimeAsync(50);
      const phase = client.phase.value;
      if (phase.kind === "reconnecting" && phase.attempt !== attempts.at(-1)) attempts.push(phase.attempt);
    }
    expect(attempts.length).toBeGreaterThanOrEqual(6);
    expect(attempts.length).toBeLessThan(12);
  });

  it("ends at once when the invitation is refused", async () => {
    token = () => Promise.reject(new JoinRefused("invitation_invalid", false));
    client.start();
    await until(is("ended"));
    expect(client.phase.value).toEqual({ kind: "ended", reason: "invitation_invalid" });
  });

  it("ends on a closing event without reconnect, and comes back on one with it", async () => {
    await joined();
    server.tell({ type: "closing", seq: 11, reason: "worker_failed", reconnect: true });
    await until(is("reconnecting"));
    await vi.advanceTimersByTimeAsync(300);
    await until(is("joined"));
    expect(server.of("join")[1]).toMatchObject({ resume: null });
    server.tell({ type: "closing", seq: 12, reason: "removed", reconnect: false });
    await until(is("ended"));
    expect(client.phase.value).toEqual({ kind: "ended", reason: "removed" });
  });

  it.each([1000, 1009, 4400, 4402, 4403, 4409, 4412])("does not come back after close code %d", async (code) => {
    await joined();
    server.sockets[0]?.close(code);
    await until(is("ended"));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.of("join")).toHaveLength(1);
  });

  it.each([1013, 4401, 4410, 4432])("comes back with a new session after close code %d", async (code) => {
    await joined();
    server.sockets[0]?.close(code);
    await until(is("reconnecting"));
    await vi.advanceTimersByTimeAsync(300);
    await until(is("joined"));
    expect(server.of("join")[1]).toMatchObject({ resume: null });
  });

  it("pings at the server's pace and drops a socket that answers nothing", async () => {
    await joined();
    await vi.advanceTimersByTimeAsync(10_000);
    await until(() => server.of("ping").length === 1);
    server.answer = () => null;
    await vi.advanceTimersByTimeAsync(10_000);
    await until(() => server.of("ping").length === 2);
    expect(client.phase.value.kind).toBe("joined");
    await vi.advanceTimersByTimeAsync(8_000);
    expect(client.phase.value.kind).toBe("reconnecting");
  });

  it("finds out within 2.5 s that the socket died with the old network", async () => {
    await joined();
    server.answer = () => null;
    client.probe();
    await vi.advanceTimersByTimeAsync(2_500);
    expect(client.phase.value.kind).toBe("reconnecting");
  });

  it("says goodbye and retries nothing", async () => {
    await joined();
    client.leave();
    await until(() => server.of("leave").length === 1);
    expect(client.phase.value).toEqual({ kind: "ended", reason: "left" });
    await expect(client.request({ type: "restart_ice" })).rejects.toBeInstanceOf(Disconnected);
  });

  it("ignores what it does not know", async () => {
    await joined();
    server.sockets[0]?.send("not json");
    server.tell({ type: "from_the_future", seq: 11 });
    server.tell({ type: "unpublished", seq: 12, publication: "a" });
    await until(() => events.length === 1);
    expect(client.phase.value.kind).toBe("joined");
  });
});
