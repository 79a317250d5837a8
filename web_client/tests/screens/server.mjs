// A small server that speaks the real protocol for the screen tests: static pages as built, POST /api/v1/join, and the
// WebSocket with `ws`. Media goes to the forwarder page. An invitation is "ROOM.role" here; nothing is checked.
import { createServer } from "node:http";
import { existsSync, readFileSync } from "node:fs";
import { extname, resolve } from "node:path";
import { WebSocketServer } from "ws";

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
const RIGHTS = {
  surgeon: ["publish_video", "publish_audio", "subscribe", "chat", "moderate"],
  staff: ["publish_video", "publish_audio", "subscribe", "chat"],
  specialist: ["publish_video", "publish_audio", "subscribe", "chat"],
  moderator: ["publish_audio", "subscribe", "chat", "moderate"],
  observer: ["subscribe"],
};
// The policy of signalling/pages.py, so that a page that breaks under it breaks here.
const POLICY = "default-src 'self'; connect-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; worker-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

export async function serve(folder, media) {
  const sessions = new Map();
  const publications = new Map();
  let seq = 0;
  const http = createServer((request, response) => {
    const path = new URL(request.url, "http://x").pathname;
    if (path === "/api/v1/join") {
      const [room, role] = (request.headers.authorization ?? "").replace("Bearer ", "").split(".");
      response.writeHead(role in RIGHTS ? 200 : 401, { "content-type": "application/json" });
      response.end(JSON.stringify({ token: `${room}.${role}`, room, role, expires_at: 0 }));
      return;
    }
    const page = /^\/(theatre|consult|observe)\//.exec(path)?.[1];
    const file = resolve(folder, page ? `${page}.html` : path === "/" ? "index.html" : path.slice(1));
    if (!file.startsWith(folder) || !existsSync(file)) return void response.writeHead(404).end();
    const headers = { "content-type": TYPES[extname(file)] ?? "application/octet-stream" };
    if (extname(file) === ".html") headers["content-security-policy"] = POLICY;
    response.writeHead(200, headers).end(readFileSync(file));
  });
  const sockets = new WebSocketServer({ server: http, path: "/ws", handleProtocols: () => "loupe.v1.json" });
  const tell = (session, message) => session.socket?.send(JSON.stringify(message));
  const event = (type, body, to = [...sessions.values()]) => {
    const message = { type, seq: ++seq, ...body };
    for (const session of to) tell(session, message);
  };
  const participantOf = (s) => ({ id: s.id, name: s.name, role: s.role, connected: s.socket !== null });
  const offer = async (session) => {
    const wanted = [...publications.values()].filter((p) => p.participant !== session.id).map((p) => p.id);
    if (wanted.length === 0) return;
    const { sdp, sources } = await media("offer", session.id, wanted);
    event("offer", { generation: ++session.generation, sdp, sources }, [session]);
  };
  const handle = {
    async publish(session, { id, sdp, sources }) {
      const answer = await media("publish", session.id, sdp, sources);
      tell(session, { type: "published_answer", id, sdp: answer.sdp, sources: answer.published.map(({ mid, publication }) => ({ mid, publication })) });
      for (const p of answer.ended) { publications.delete(p); event("unpublished", { publication: p }); }
      for (const p of answer.published.filter((x) => x.isNew)) {
        const info = { id: p.publication, participant: session.id, kind: p.kind, codec: p.kind === "video" ? "VP8" : "opus", label: p.label, source_type: p.source_type, muted: false, layers: [0], silent_ms: 0, encodings: 1 };
        publications.set(info.id, info);
        event("published", { publication: info });
      }
      for (const other of sessions.values()) if (other !== session) await offer(other);
    },
    async subscribe(session, { id }) { tell(session, { type: "ok", id }); await offer(session); },
    async answer(session, { id, sdp }) { await media("answer", session.id, sdp); tell(session, { type: "ok", id }); },
    async mute(session, { id, publication, muted }) {
      tell(session, { type: "ok", id });
      publications.set(publication, { ...publications.get(publication), muted });
      event("publication_changed", { publication: publications.get(publication) });
    },
    async chat(session, { id, text }) {
      tell(session, { type: "ok", id });
      event("chat_line", { participant: session.id, name: session.name, text, time_ms: Date.now() });
    },
    async ping(session, { id }) { tell(session, { type: "pong", id, server_time_ms: Date.now() }); },
    async prefer(session, { id }) { tell(session, { type: "ok", id }); },
    async restart_ice(session, { id }) { tell(session, { type: "ok", id }); await offer(session); },
    async leave(session, { id }) {
      tell(session, { type: "ok", id });
      sessions.delete(session.id);
      for (const p of [...publications.values()].filter((x) => x.participant === session.id)) {
        publications.delete(p.id);
        event("unpublished", { publication: p.id });
      }
      event("participant_left", { participant: session.id });
      session.socket.close(1000);
    },
  };
  const join = (socket, { id, token, name, resume }) => {
    const [room, role] = token.split(".");
    const resumed = resume != null && sessions.has(resume.session);
    const session = resumed ? sessions.get(resume.session) : { id: `s${sessions.size + 1}`, role, name, generation: 0 };
    const others = [...sessions.values()].filter((s) => s !== session);
    session.socket = socket;
    sessions.set(session.id, session);
    tell(session, {
      type: "hello", id, version: 1, session: session.id, resume_token: "r", resumed, seq, participant: session.id, role,
      rights: RIGHTS[role], ice_servers: [], server_time_ms: Date.now(),
      room: { id: room, participants: [...sessions.values()].map(participantOf), publications: [...publications.values()] },
      limits: { message_bytes: 65536, messages_per_second: 50, sources: 8, subscriptions: 64, resume_seconds: 30, heartbeat_seconds: 10 },
    });
    event(resumed ? "participant_changed" : "participant_joined", { participant: participantOf(session) }, others);
    return session;
  };
  sockets.on("connection", (socket) => {
    let session = null;
    socket.on("message", (data) => {
      const message = JSON.parse(String(data));
      if (message.type === "join") session = join(socket, message);
      else void handle[message.type]?.(session, message).catch((error) => console.error(message.type, error.message));
    });
    socket.on("close", () => { if (session) session.socket = null; });
  });
  await new Promise((done) => http.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${http.address().port}`,
    publications,
    refuse: false,
    /** Drops every socket and takes no new one until `up`. */
    down() { for (const client of sockets.clients) client.terminate(); sockets.shouldHandle = () => false; },
    up() { delete sockets.shouldHandle; },
    close() { for (const client of sockets.clients) client.terminate(); http.closeAllConnections(); http.close(); },
  };
}
