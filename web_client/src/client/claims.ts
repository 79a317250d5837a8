/**
 * What this page tells the server's operators of its own statistics, every two seconds in one message. Shares and rates
 * are of the time since the message before; rounded, as nobody needs more, and short.
 */
import type { LinkClaim, SourceClaim, Statistics, ViewClaim } from "./protocol.generated";
import type { LinkSample } from "./statistics";

export type Entry = Record<string, unknown> & { type: string; id: string };

/** One peer connection and whose tracks are which publications. */
export interface Way {
  pc: RTCPeerConnection;
  sample: LinkSample | null;
  tracks: readonly { publication: string; track: MediaStreamTrack }[];
}

const MAX_SOURCES = 8;
const MAX_VIEWS = 64;
const MAX_MS = 60_000;
const MAX_RATE = 1_000;

const number = (value: unknown): number | null =>
  typeof value === "number" && Number.isFinite(value) ? value : null;
const within = (value: number, highest: number): number => Math.min(highest, Math.max(0, value));
const rounded = (value: number | null, digits: number, highest: number): number | null =>
  value === null ? null : within(Math.round(value * 10 ** digits) / 10 ** digits, highest);
const share = (value: number | null): number | null => rounded(value, 4, 1);
const ms = (value: number | null): number | null => rounded(value, 1, MAX_MS);

/** Remembers each entry's counters from one message to the next. */
export class ClaimReader {
  private readonly before = new Map<string, Entry>();
  private atMs: number | null = null;

  async read(publish: Way | undefined, subscribe: Way | undefined, nowMs: number): Promise<Omit<Statistics, "id">> {
    const seconds = this.atMs === null ? null : Math.max(0.001, (nowMs - this.atMs) / 1_000);
    this.atMs = nowMs;
    const sources: SourceClaim[] = [];
    for (const { publication, track } of publish?.tracks.slice(0, MAX_SOURCES) ?? []) {
      const sender = publish?.pc.getSenders().find((one) => one.track === track);
      if (sender) sources.push(this.source(publication, entriesOf(await sender.getStats()), seconds));
    }
    const views: ViewClaim[] = [];
    for (const { publication, track } of subscribe?.tracks.slice(0, MAX_VIEWS) ?? []) {
      const receiver = subscribe?.pc.getReceivers().find((one) => one.track === track);
      if (receiver) views.push(this.view(publication, entriesOf(await receiver.getStats()), seconds));
    }
    return {
      type: "statistics", clock_ms: Date.now(), sources, views,
      publish: publish ? link(entriesOf(await publish.pc.getStats()), publish.sample) : null,
      subscribe: subscribe ? link(entriesOf(await subscribe.pc.getStats()), subscribe.sample) : null,
    };
  }

  source(publication: string, entries: readonly Entry[], seconds: number | null): SourceClaim {
    const layers = entries.filter((one) => one.type === "outbound-rtp");
    const largest = top(layers);
    const captured = entries.find((one) => one.type === "media-source");
    const encoded = largest && this.grown(largest, "framesEncoded");
    const spent = largest && this.grown(largest, "totalEncodeTime");
    const reason = layers.map((one) => one.qualityLimitationReason).find((one) => one === "cpu" || one === "bandwidth");
    const frames = captured && this.grown(captured, "frames");
    for (const one of entries) this.before.set(one.id, one);
    return {
      publication,
      width: rounded(number(largest?.frameWidth), 0, 16_384), height: rounded(number(largest?.frameHeight), 0, 16_384),
      captured_per_second: rounded(perSecond(frames ?? null, seconds), 1, MAX_RATE),
      encoded_per_second: rounded(perSecond(encoded ?? null, seconds), 1, MAX_RATE),
      encode_ms: ms(ratio(spent ?? null, encoded ?? null, 1_000)),
      limited_by: reason === "cpu" || reason === "bandwidth" ? reason : null,
    };
  }

  view(publication: string, entries: readonly Entry[], seconds: number | null): ViewClaim {
    const inbound = entries.find((one) => one.type === "inbound-rtp");
    if (inbound === undefined) return { publication };
    const grown = (name: string): number | null => this.grown(inbound, name);
    const decoded = grown("framesDecoded");
    const dropped = grown("framesDropped");
    const lost = grown("packetsLost");
    const came = grown("packetsReceived");
    const invented = minus(grown("concealedSamples"), grown("silentConcealedSamples"));
    const claim: ViewClaim = {
      publication,
      width: rounded(number(inbound.frameWidth), 0, 16_384), height: rounded(number(inbound.frameHeight), 0, 16_384),
      frames_per_second: rounded(perSecond(decoded, seconds), 1, MAX_RATE),
      // What came again is not missing; browsers count it as lost all the same.
      loss: share(ratio(minus(lost, grown("retransmittedPacketsReceived")), plus(lost, came), 1)),
      freezes: rounded(grown("freezeCount"), 0, 1_000) ?? 0,
      freeze_ms: ms(scaled(grown("totalFreezesDuration"), 1_000)) ?? 0,
      dropped: share(ratio(dropped, plus(dropped, decoded), 1)),
      decode_ms: ms(ratio(grown("totalDecodeTime"), decoded, 1_000)),
      buffer_ms: ms(ratio(grown("jitterBufferDelay"), grown("jitterBufferEmittedCount"), 1_000)),
      concealed: share(ratio(invented, grown("totalSamplesReceived"), 1)),
    };
    this.before.set(inbound.id, inbound);
    return claim;
  }

  /** How much a counter grew since the message before; null the first time, or when it began anew. */
  private grown(entry: Entry, name: string): number | null {
    const now = number(entry[name]);
    const before = number(this.before.get(entry.id)?.[name]);
    return now === null || before === null || now < before ? null : now - before;
  }
}

/** The selected path: its round trip, and whether it goes through a TURN server. */
export function link(entries: readonly Entry[], sample: LinkSample | null): LinkClaim {
  const pair = entries.find((one) => one.type === "candidate-pair" && one.nominated === true && one.state === "succeeded");
  const local = entries.find((one) => one.type === "local-candidate" && one.id === pair?.localCandidateId);
  return {
    round_trip_ms: ms(sample?.rttMs ?? null), loss: share(sample?.loss ?? null),
    relayed: local === undefined ? null : local.candidateType === "relay",
  };
}

function entriesOf(report: RTCStatsReport): Entry[] {
  return [...report.values()] as Entry[];
}

/** Of several layers the largest that is sent. */
function top(layers: readonly Entry[]): Entry | undefined {
  return [...layers].sort((a, b) => (number(b.frameHeight) ?? 0) - (number(a.frameHeight) ?? 0))[0];
}

function perSecond(count: number | null, seconds: number | null): number | null {
  return count === null || seconds === null ? null : count / seconds;
}

function ratio(part: number | null, whole: number | null, scale: number): number | null {
  return part === null || whole === null || whole <= 0 ? null : (part * scale) / whole;
}

function scaled(value: number | null, scale: number): number | null {
  return value === null ? null : value * scale;
}

function plus(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : a + b;
}

/** Never below 0; an unknown subtrahend is none. */
function minus(a: number | null, b: number | null): number | null {
  return a === null ? null : Math.max(0, a - (b ?? 0));
}
