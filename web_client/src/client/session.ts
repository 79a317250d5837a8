/**
 * One participant's session: signalling, the room, and the two transports, kept in step. What the person wants (sources
 * sent, publications received) is held here, so that a new session after a loss is the same session to them.
 */
import { computed, effect, signal } from "@preact/signals";
import { Disconnected } from "./errors";
import { exchange } from "./invitation";
import type { Admission } from "./invitation";
import type { Hello, IceServer, Right, ServerEvent, SourceType } from "./protocol";
import { PublishTransport } from "./publish";
import type { Sending } from "./publish";
import { ownQuality } from "./quality";
import type { Quality } from "./quality";
import { after, EMPTY_ROOM, roomOf } from "./room";
import type { Publication, Room } from "./room";
import { Signalling, WEBSOCKET_PATH } from "./signalling";
import type { Phase } from "./signalling";
import { ClaimReader } from "./claims";
import { Sampler } from "./statistics";
import type { LinkSample, SourceSample } from "./statistics";
import { SubscribeTransport } from "./subscribe";

const SAMPLE_MS = 2_000;

/** What is wanted of one publication; how much of that is sent is the server's choice. */
export interface Wish {
  /** The highest layer of use; null: the best. */
  layer: number | null;
  paused: boolean;
  /** Before all other pictures. */
  pinned: boolean;
}

const NO_WISH: Wish = { layer: null, paused: false, pinned: false };

export interface SessionOptions {
  invitation: string;
  name: string;
  /** The admission already fetched by the lobby; its token is used for the first socket only. */
  admission?: Admission;
  origin?: string;
}

export class Session {
  readonly signalling: Signalling;
  readonly room = signal<Room>(EMPTY_ROOM);
  readonly me = signal<Hello | null>(null);
  readonly sending = signal<readonly Sending[]>([]);
  readonly publishing = signal<PublishTransport | null>(null);
  readonly subscribing = signal<SubscribeTransport | null>(null);
  readonly quality = signal<Quality>({ level: "unknown", cause: null });
  /** By `Sending.key`: what is really sent. */
  readonly sent = signal<ReadonlyMap<number, SourceSample>>(new Map());
  readonly tracks = computed(() => this.subscribing.value?.tracks.value ?? new Map<string, MediaStreamTrack>());
  private nextKey = 1;
  private first: Admission | undefined;
  private upload = new Sampler("publish");
  private download = new Sampler("subscribe");
  private readonly claims = new ClaimReader();
  private sampling: ReturnType<typeof setInterval> | undefined;
  /** By publication: what was last wanted of it. A new session begins without and is told again. */
  private readonly wishes = new Map<string, Wish>();
  private readonly stops: (() => void)[] = [];

  constructor(private readonly options: SessionOptions) {
    this.first = options.admission;
    const origin = options.origin ?? location.origin;
    this.signalling = new Signalling(
      {
        url: origin.replace(/^http/, "ws") + WEBSOCKET_PATH,
        name: options.name,
        token: () => this.token(),
        socket: (url, protocol) => new WebSocket(url, protocol),
      },
      { hello: (hello) => this.joined(hello), event: (event) => this.happened(event) },
    );
    this.stops.push(effect(() => {
      if (this.signalling.phase.value.kind === "ended") this.release();
    }));
  }

  get phase(): { readonly value: Phase } {
    return this.signalling.phase;
  }

  /** What the server's clock shows less this computer's, in milliseconds, when it was told last. */
  serverAheadMs = 0;

  may(right: Right): boolean {
    return this.me.value?.rights.includes(right) ?? false;
  }

  start(): void {
    this.signalling.start();
    const changed = (): void => this.networkChanged();
    const network = (navigator as { connection?: EventTarget }).connection;
    // A closed tab says goodbye, so that nobody waits half a minute for somebody who has gone home.
    const goodbye = (event: PageTransitionEvent): void => {
      if (!event.persisted) this.leave();
    };
    window.addEventListener("online", changed);
    window.addEventListener("pagehide", goodbye);
    network?.addEventListener("change", changed);
    this.stops.push(() => {
      window.removeEventListener("online", changed);
      window.removeEventListener("pagehide", goodbye);
      network?.removeEventListener("change", changed);
    });
    this.sampling = setInterval(() => void this.sample(), SAMPLE_MS);
  }

  leave(): void {
    this.signalling.leave();
  }

  /** The way to the server may have changed: look at all three associations now. */
  networkChanged(): void {
    this.signalling.probe();
    this.publishing.value?.recovery.networkChanged();
    this.subscribing.value?.recovery.networkChanged();
  }

  /** Starts to send a track. Raises `RequestRefused` or `Disconnected`; the track is then not sent. */
  async publish(track: MediaStreamTrack, label: string, sourceType: SourceType): Promise<Sending> {
    const sending: Sending = {
      key: this.nextKey++, label, sourceType, track, publication: signal(null), muted: signal(false),
    };
    this.sending.value = [...this.sending.value, sending];
    try {
      await this.publishTransport().add(sending);
    } catch (error) {
      // Lost on the way: the next join publishes everything in the list again, this source too.
      if (error instanceof Disconnected && this.phase.value.kind !== "ended") return sending;
      this.sending.value = this.sending.value.filter((s) => s !== sending);
      throw error;
    }
    return sending;
  }

  async unpublish(sending: Sending): Promise<void> {
    this.sending.value = this.sending.value.filter((s) => s !== sending);
    await this.publishing.value?.remove(sending);
  }

  /** Mutes at the source at once, and tells the room, which stops forwarding. */
  async mute(sending: Sending, muted: boolean): Promise<void> {
    sending.track.enabled = !muted;
    sending.muted.value = muted;
    const publication = sending.publication.value;
    if (publication !== null) await this.signalling.request({ type: "mute", publication, muted });
  }

  async startRecording(procedure: string): Promise<void> {
    await this.signalling.request({ type: "start_recording", procedure });
  }

  async stopRecording(): Promise<void> {
    await this.signalling.request({ type: "stop_recording" });
  }

  /** Ends the session of everyone in the room; `closing` follows. */
  async closeRoom(): Promise<void> {
    await this.signalling.request({ type: "close_room" });
  }

  async chat(text: string): Promise<void> {
    await this.signalling.request({ type: "chat", text });
  }

  /** Marks this moment of the operation, to be found again in review. */
  async mark(label = ""): Promise<void> {
    await this.signalling.request({ type: "mark", label });
  }

  /** What is wanted of a publication from now on; what is not named stays as it was wished before. */
  async prefer(publication: string, change: Partial<Wish>): Promise<void> {
    const before = this.wishes.get(publication) ?? NO_WISH;
    const wish = { ...before, ...change };
    if (wish.layer === before.layer && wish.paused === before.paused && wish.pinned === before.pinned) return;
    this.wishes.set(publication, wish);
    await this.signalling.request({ type: "prefer", publication, ...wish });
  }

  /** Publications of others. */
  others(): Publication[] {
    const me = this.me.value?.participant;
    return [...this.room.value.publications.values()].filter((p) => p.participant !== me);
  }

  private async token(): Promise<string> {
    // A join token opens one socket only: the lobby's serves the first, every other needs its own.
    const admission = this.first ?? (await exchange(this.options.invitation));
    this.first = undefined;
    return admission.token;
  }

  private joined(hello: Hello): void {
    this.me.value = hello;
    this.serverAheadMs = hello.server_time_ms - Date.now();
    this.room.value = roomOf(hello.room, performance.now(), this.room.value);
    for (const id of [...this.wishes.keys()]) if (!this.room.value.publications.has(id)) this.wishes.delete(id);
    if (hello.resumed) return;
    // Another session, another leg: what was said of the last one is over.
    this.room.value = { ...this.room.value, standings: new Map(), quality: null };
    this.closeTransports();
    if (hello.rights.includes("subscribe")) this.subscribeAll(hello);
    for (const sending of this.sending.value) void this.publishAgain(sending);
  }

  private subscribeAll(hello: Hello): void {
    this.subscribing.value = new SubscribeTransport(servers(hello.ice_servers), {
      answer: (generation, sdp) => this.signalling.request({ type: "answer", generation, sdp }),
      restart: () => this.signalling.request({ type: "restart_ice" }),
      lost: () => this.signalling.rejoin(),
    });
    const publications = this.others().map((p) => p.id).slice(0, hello.limits.subscriptions);
    this.signalling.request({ type: "subscribe", publications, automatic: true }).catch(() => undefined);
    for (const [publication, wish] of this.wishes) {
      this.signalling.request({ type: "prefer", publication, ...wish }).catch(() => undefined);
    }
  }

  /** A new session after a loss: the same sources, in the same state of mute. One that is refused leaves the list. */
  private async publishAgain(sending: Sending): Promise<void> {
    try {
      await this.publishTransport().add(sending);
      if (sending.muted.value) await this.mute(sending, true);
    } catch (error) {
      // Lost once more: the join that follows takes it up again.
      if (error instanceof Disconnected) return;
      this.sending.value = this.sending.value.filter((s) => s !== sending);
    }
  }

  private publishTransport(): PublishTransport {
    this.publishing.value ??= new PublishTransport(servers(this.me.value?.ice_servers ?? []), {
      publish: (sdp, sources) => this.signalling.request({ type: "publish", sdp, sources }),
      lost: () => this.signalling.rejoin(),
    });
    return this.publishing.value;
  }

  private happened(event: ServerEvent): void {
    this.room.value = after(this.room.value, event, performance.now());
    if (event.type === "unpublished") this.wishes.delete(event.publication);
    if (event.type === "offer") void this.subscribing.value?.offered(event).catch(() => this.signalling.rejoin());
    else if (event.type === "sending_wanted") void this.publishing.value?.restrain(event.publication, event.encodings);
    else if (event.type === "transport" && event.state === "closed") this.transportClosed(event.direction);
  }

  /** The server gave a transport up that we still want: only a new session brings it back. */
  private transportClosed(direction: "publish" | "subscribe"): void {
    const wanted = direction === "publish" ? this.sending.value.length > 0 : this.tracks.value.size > 0;
    if (wanted) this.signalling.rejoin();
  }

  private async sample(): Promise<void> {
    const nowMs = performance.now();
    const read = async (
      transport: PublishTransport | SubscribeTransport | null, sampler: Sampler,
    ): Promise<{ sample: LinkSample; state: RTCIceConnectionState } | null> =>
      transport === null ? null : { sample: await sampler.sample(transport.pc, nowMs), state: transport.state.value };
    const publish = await read(this.publishing.value, this.upload);
    const subscribe = await read(this.subscribing.value, this.download);
    this.quality.value = ownQuality({ publish, subscribe });
    await this.sampleSources(nowMs);
    await this.tellStatistics(publish?.sample ?? null, subscribe?.sample ?? null, nowMs);
  }

  /** Operators see what this page sees; a message that is lost is not sent again, the next one says more. */
  private async tellStatistics(up: LinkSample | null, down: LinkSample | null, nowMs: number): Promise<void> {
    const [publish, subscribe] = [this.publishing.value?.pc, this.subscribing.value?.pc];
    const sending = this.sending.value.flatMap(({ track, publication: { value: publication } }) =>
      publication === null ? [] : [{ publication, track }]);
    const shown = [...this.tracks.value].map(([publication, track]) => ({ publication, track }));
    const claims = await this.claims.read(
      publish && { pc: publish, sample: up, tracks: sending },
      subscribe && { pc: subscribe, sample: down, tracks: shown }, nowMs,
    );
    if (this.phase.value.kind === "joined") await this.signalling.request(claims).catch(() => undefined);
  }

  private async sampleSources(nowMs: number): Promise<void> {
    const senders = this.publishing.value?.pc.getSenders() ?? [];
    const sent = new Map<number, SourceSample>();
    for (const { key, track } of this.sending.value) {
      const sender = senders.find((s) => s.track === track);
      const sample = sender && (await this.upload.source(sender, String(key), nowMs));
      if (sample) sent.set(key, sample);
    }
    this.sent.value = sent;
  }

  private closeTransports(): void {
    this.publishing.value?.close();
    this.publishing.value = null;
    this.subscribing.value?.close();
    this.subscribing.value = null;
    this.upload = new Sampler("publish");
    this.download = new Sampler("subscribe");
    for (const sending of this.sending.value) sending.publication.value = null;
  }

  private release(): void {
    clearInterval(this.sampling);
    for (const stop of this.stops.splice(0)) stop();
    this.closeTransports();
    for (const { track } of this.sending.value) track.stop();
    this.sending.value = [];
  }
}

function servers(list: readonly IceServer[]): RTCIceServer[] {
  return list.map(({ urls, username, credential }) => ({
    urls, ...(username == null ? {} : { username }), ...(credential == null ? {} : { credential }),
  }));
}
