/** Reads `getStats` into the few numbers that people and the quality rule need. */

/** What happened on one transport between two samples. */
export interface LinkSample {
  /** Round trip of the selected path, ms; null until measured. */
  rttMs: number | null;
  /** Packets lost of those expected, 0..1; null when none were expected. */
  loss: number | null;
  kbitPerSecond: number;
  /** The encoder says that it is short of this. */
  limitedBy: "cpu" | "bandwidth" | null;
}

export interface SourceSample {
  width: number;
  height: number;
  framesPerSecond: number;
  kbitPerSecond: number;
}

interface Counters {
  atMs: number;
  bytes: number;
  lost: number;
  packets: number;
}

type Entry = Record<string, unknown> & { type: string; id: string };

const number = (value: unknown): number => (typeof value === "number" ? value : 0);

/** Samples one peer connection; differences are taken against the sample before. */
export class Sampler {
  private before: Counters | null = null;
  private readonly bytesBefore = new Map<string, { atMs: number; bytes: number }>();

  constructor(private readonly direction: "publish" | "subscribe") {}

  async sample(pc: RTCPeerConnection, nowMs: number): Promise<LinkSample> {
    return this.read([...(await pc.getStats()).values()] as Entry[], nowMs);
  }

  read(entries: Entry[], nowMs: number): LinkSample {
    const counters: Counters = { atMs: nowMs, bytes: 0, lost: 0, packets: 0 };
    let rttMs: number | null = null;
    let limitedBy: LinkSample["limitedBy"] = null;
    for (const entry of entries) {
      if (entry.type === "candidate-pair" && entry.nominated === true && entry.currentRoundTripTime !== undefined) {
        rttMs = number(entry.currentRoundTripTime) * 1_000;
      }
      if (this.direction === "publish") limitedBy = sent(entry, counters) ?? limitedBy;
      else received(entry, counters);
    }
    return { ...this.against(counters), rttMs, limitedBy };
  }

  private against(counters: Counters): Pick<LinkSample, "loss" | "kbitPerSecond"> {
    const before = this.before;
    this.before = counters;
    if (before === null || counters.atMs <= before.atMs || counters.bytes < before.bytes) {
      return { loss: null, kbitPerSecond: 0 };
    }
    const lost = Math.max(0, counters.lost - before.lost);
    const expected = counters.packets - before.packets + (this.direction === "subscribe" ? lost : 0);
    return {
      loss: expected > 0 ? Math.min(1, lost / expected) : null,
      kbitPerSecond: ((counters.bytes - before.bytes) * 8) / (counters.atMs - before.atMs),
    };
  }

  /** What one track's largest layer is now. */
  async source(subject: RTCRtpSender | RTCRtpReceiver, key: string, nowMs: number): Promise<SourceSample | null> {
    let best: Entry | null = null;
    let bytes = 0;
    for (const entry of (await subject.getStats()).values() as Iterable<Entry>) {
      if (entry.type !== "outbound-rtp" && entry.type !== "inbound-rtp") continue;
      bytes += number(entry.bytesSent) + number(entry.bytesReceived);
      if (number(entry.framesPerSecond) === 0) continue;
      if (best === null || number(entry.frameHeight) > number(best.frameHeight)) best = entry;
    }
    const before = this.bytesBefore.get(key);
    this.bytesBefore.set(key, { atMs: nowMs, bytes });
    const span = before === undefined ? 0 : nowMs - before.atMs;
    const kbitPerSecond = before === undefined || span <= 0 ? 0 : Math.max(0, ((bytes - before.bytes) * 8) / span);
    if (best === null) return kbitPerSecond > 0 ? { width: 0, height: 0, framesPerSecond: 0, kbitPerSecond } : null;
    return {
      width: number(best.frameWidth), height: number(best.frameHeight),
      framesPerSecond: number(best.framesPerSecond), kbitPerSecond,
    };
  }
}

/** Loss of what we send is told by the other side, in its receiver reports. */
function sent(entry: Entry, counters: Counters): LinkSample["limitedBy"] {
  if (entry.type === "outbound-rtp") {
    counters.bytes += number(entry.bytesSent);
    counters.packets += number(entry.packetsSent);
    const reason = entry.qualityLimitationReason;
    return reason === "cpu" || reason === "bandwidth" ? reason : null;
  }
  if (entry.type === "remote-inbound-rtp") counters.lost += number(entry.packetsLost);
  return null;
}

function received(entry: Entry, counters: Counters): void {
  if (entry.type !== "inbound-rtp") return;
  counters.bytes += number(entry.bytesReceived);
  counters.packets += number(entry.packetsReceived);
  counters.lost += number(entry.packetsLost);
}
