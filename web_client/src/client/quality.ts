/** Numbers into words: how good a link is, and whose fault it is when it is not. */
import type { ParticipantInfo, ServedQuality, Standing, Step, TroubleCause } from "./protocol";
import type { Publication, Room } from "./room";
import type { LinkSample } from "./statistics";

/** `present`: connected, but nothing flows from which a quality could be told. */
export type Level = "good" | "fair" | "poor" | "lost" | "unknown" | "present";
export type Cause = "upload" | "download" | "device" | "remote" | "server" | null;

export interface Quality {
  level: Level;
  cause: Cause;
}

/** Conversational voice tolerates 3 % (G.1010) and, with FEC, is still speech at 10 % (clinical design, 2.4 and 2.5). */
const LOSS_GOOD = 0.03;
const LOSS_FAIR = 0.1;
/** Twice the one-way limits of G.114: 150 ms unnoticed, 400 ms not to be planned for. */
const RTT_GOOD_MS = 300;
const RTT_FAIR_MS = 800;
/** A source silent for longer than a late picture is the sender's trouble, not a gap between frames. */
const SILENT_MS = 500;

const ORDER: readonly Level[] = ["unknown", "present", "good", "fair", "poor", "lost"];
const worse = (a: Quality, b: Quality): Quality => (ORDER.indexOf(b.level) > ORDER.indexOf(a.level) ? b : a);

function ofLink(sample: LinkSample | null, state: RTCIceConnectionState, cause: Cause): Quality {
  if (state === "failed" || state === "disconnected") return { level: "lost", cause };
  if (sample === null || (sample.loss === null && sample.rttMs === null)) return { level: "unknown", cause: null };
  const loss = sample.loss ?? 0;
  const rtt = sample.rttMs ?? 0;
  if (loss > LOSS_FAIR || rtt > RTT_FAIR_MS) return { level: "poor", cause };
  if (loss > LOSS_GOOD || rtt > RTT_GOOD_MS) return { level: "fair", cause };
  if (sample.limitedBy !== null) return { level: "fair", cause: sample.limitedBy === "cpu" ? "device" : cause };
  return { level: "good", cause: null };
}

export interface OwnLinks {
  publish: { sample: LinkSample | null; state: RTCIceConnectionState } | null;
  subscribe: { sample: LinkSample | null; state: RTCIceConnectionState } | null;
}

/** This participant's own link: the worse of both directions names the cause. */
export function ownQuality(links: OwnLinks): Quality {
  const none: Quality = { level: "unknown", cause: null };
  const up = links.publish === null ? none : ofLink(links.publish.sample, links.publish.state, "upload");
  const down = links.subscribe === null ? none : ofLink(links.subscribe.sample, links.subscribe.state, "download");
  return worse(up, down);
}

const OF_STEP: Record<Step, Level> = { full: "fair", reduced: "fair", stills: "poor", sound: "poor", silent: "lost" };
const OF_CAUSE: Record<TroubleCause, Cause> = { link: "download", publisher: "remote", server: "server" };

/** With the server's word on what the link still carries: it sees a weak link before packets are lost. */
export function withStanding(own: Quality, told: Standing | undefined): Quality {
  if (told === undefined) return own;
  return worse(own, { level: OF_STEP[told.step], cause: told.cause === null ? null : OF_CAUSE[told.cause] });
}

/** What was lost before it reached the server is not this link's fault, whatever the browser counts. */
export function blamed(own: Quality, served: ServedQuality | null): Quality {
  if (own.cause !== "download" || served === null || served.loss > LOSS_GOOD) return own;
  return served.sources.some((source) => source.upload_loss > LOSS_GOOD) ? { ...own, cause: "remote" } : own;
}

/** Who sends less, or more damaged, than it should be, as far as the server has said. */
export function weakUploader({ quality, publications, participants }: Room): ParticipantInfo | undefined {
  const worst = [...(quality?.sources ?? [])].sort((a, b) => b.upload_loss - a.upload_loss);
  const weak = worst.find((source) => source.reason === "publisher") ?? worst.find((source) => source.upload_loss > 0);
  return participants.get(publications.get(weak?.publication ?? "")?.participant ?? "");
}

/** One leg by its loss alone, for the drawing of the way. */
export function levelOfLoss(loss: number): Level {
  return loss > LOSS_FAIR ? "poor" : loss > LOSS_GOOD ? "fair" : "good";
}

/** Somebody else, as seen from here: their socket, whether their sources flow, then our own way to them. */
export function remoteQuality(
  participant: ParticipantInfo, publications: readonly Publication[], own: Quality, nowMs: number, told?: Standing,
): Quality {
  if (!participant.connected) return { level: "lost", cause: "remote" };
  if (told?.cause === "link") return { level: OF_STEP[told.step], cause: "remote" };
  const sending = publications.filter((p) => !p.muted);
  if (sending.some((p) => p.silent_ms > 0 && p.silent_ms + nowMs - p.toldAtMs > SILENT_MS)) {
    return { level: "poor", cause: "remote" };
  }
  if (own.cause === "download") return own;
  return sending.length === 0 ? { level: "present", cause: null } : { level: "good", cause: null };
}

/** Bars out of four, for the drawing beside the word. */
export const BARS: Record<Level, number> = { good: 4, fair: 3, poor: 1, lost: 0, unknown: 0, present: 0 };
