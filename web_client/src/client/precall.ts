/**
 * Measures the way to the server before a call: two sessions in a private room, one sends a synthetic picture as an
 * endoscope would be sent, the other watches it come back through the real media path.
 */
import { JoinRefused } from "./errors";
import { codeOf } from "./invitation";
import type { Admission } from "./invitation";
import type { Measured } from "./precall_grades";
import { Session } from "./session";
import { Sampler } from "./statistics";
import type { LinkSample } from "./statistics";

export const PRECALL_PATH = "/api/v1/precall";
const JOIN_LIMIT_MS = 6_000;
const CONNECT_LIMIT_MS = 8_000;
const SAMPLE_MS = 1_000;
/** Congestion control takes this long to find a link's rate; what was lost while it overshot is not the link's loss. */
const RAMP_SAMPLES = 4;
/** One layer of those sent is forwarded; the upper one is at least this part of them all once it flows. */
const UPPER_SHARE = 0.4;
/** Of the test's time, for a download where the pictures say too little of the way down. */
const DOWNLOAD_MS = 4_000;
/** Less than this is no measure: all of it may have waited on the way together. */
const LEAST_DOWNLOAD_MS = 500;
/** A rate is what the link held for three seconds in a row. */
const HELD_SAMPLES = 3;

interface Test {
  room: string;
  send_token: string;
  receive_token: string;
  seconds: number;
}

/** What is being measured now, and the part of the time that has gone, 0..1. */
export interface Progress {
  step: "websocket" | "udp" | "rates";
  done: number;
}

/** Both directions at one moment. */
export interface Sample {
  up: LinkSample;
  down: LinkSample;
}

/** Opens a test. Raises `JoinRefused`, as for a join. */
async function begin(invitation: string): Promise<Test> {
  let answer: Response;
  try {
    answer = await fetch(PRECALL_PATH, {
      method: "POST", headers: { authorization: `Bearer ${invitation}` }, cache: "no-store", credentials: "omit",
      signal: AbortSignal.timeout(10_000),
    });
  } catch {
    throw new JoinRefused("network", true);
  }
  if (!answer.ok) throw new JoinRefused(await codeOf(answer), answer.status >= 500 || answer.status === 429);
  return (await answer.json()) as Test;
}

function sessionOf(test: Test, token: string): Session {
  const admission: Admission = { token, room: test.room, role: "staff" };
  return new Session({ invitation: "", name: "", admission });
}

/** Whether a condition became true within a time; looked at often, as nothing here is told by one event. */
async function holds(condition: () => boolean, limitMs: number): Promise<boolean> {
  const end = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() >= end) return false;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return true;
}

/** A moving picture that no encoder can make small: tissue-sized noise, shifted anew for each frame. */
export function syntheticPicture(): { track: MediaStreamTrack; stop: () => void } {
  const noise = new OffscreenCanvas(640, 480);
  const grain = noise.getContext("2d");
  if (grain !== null) {
    const pixels = grain.createImageData(noise.width, noise.height);
    for (let i = 0; i < pixels.data.length; i += 4) {
      pixels.data[i] = 90 + Math.random() * 165;
      pixels.data[i + 1] = Math.random() * 120;
      pixels.data[i + 2] = Math.random() * 120;
      pixels.data[i + 3] = 255;
    }
    grain.putImageData(pixels, 0, 0);
  }
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [1280, 720];
  const pen = canvas.getContext("2d");
  const draw = (): void => {
    pen?.drawImage(noise, Math.random() * 160, Math.random() * 120, 480, 360, 0, 0, canvas.width, canvas.height);
  };
  draw();
  const timer = setInterval(draw, 40);
  const track = canvas.captureStream(25).getVideoTracks()[0];
  if (track === undefined) throw new Error("a canvas gives no track");
  const stop = (): void => {
    clearInterval(timer);
    track.stop();
  };
  return { track, stop };
}

const NOTHING: Measured = {
  websocketMs: null, path: null, upKbit: null, downKbit: null, upLoss: null, downLoss: null, rttMs: null,
  downUntried: false, cpuShort: false,
};

/** The whole test. Raises `JoinRefused` when the server lets no test begin; what does not work is a result. */
export async function measure(invitation: string, tell: (progress: Progress) => void): Promise<Measured> {
  const begun = performance.now();
  const test = await begin(invitation);
  const limitMs = test.seconds * 1_000;
  const told = (step: Progress["step"]): void =>
    tell({ step, done: Math.min(1, (performance.now() - begun) / limitMs) });
  const picture = syntheticPicture();
  const sender = sessionOf(test, test.send_token);
  const receiver = sessionOf(test, test.receive_token);
  const end = (): void => {
    sender.leave();
    receiver.leave();
    picture.stop();
  };
  try {
    told("websocket");
    sender.start();
    receiver.start();
    const joined = (): boolean => sender.phase.value.kind === "joined" && receiver.phase.value.kind === "joined";
    if (!(await holds(joined, JOIN_LIMIT_MS))) return NOTHING;
    const websocketMs = await pingMs(sender);
    told("udp");
    await sender.publish(picture.track, "precall", "endoscope");
    if (!(await holds(() => connected(sender) && connected(receiver), CONNECT_LIMIT_MS))) return { ...NOTHING, websocketMs };
    const path = await pathOf(sender);
    const leftMs = (): number => limitMs - DOWNLOAD_MS - (performance.now() - begun);
    const found = summary(await sample(sender, receiver, leftMs, () => told("rates")));
    end();
    const downloadKbit = found.downUntried ? await download(invitation, test.room, () => told("rates")) : null;
    return { ...withDownload(found, downloadKbit), websocketMs, path };
  } finally {
    end();
  }
}

/** Kbit/s of a download by HTTPS, once nothing else is sent; null where it gave no figure. */
async function download(invitation: string, room: string, tick: () => void): Promise<number | null> {
  const chunks: Chunk[] = [];
  try {
    const answer = await fetch(`${PRECALL_PATH}/${room}/download`, {
      headers: { authorization: `Bearer ${invitation}` }, cache: "no-store", credentials: "omit",
      signal: AbortSignal.timeout(DOWNLOAD_MS),
    });
    const reader = answer.ok ? answer.body?.getReader() : undefined;
    for (let next = await reader?.read(); next !== undefined && !next.done; next = await reader?.read()) {
      chunks.push({ atMs: performance.now(), bytes: next.value.length });
      tick();
    }
  } catch {
    // The time was over, or the way broke: what came until then counts.
  }
  return kbitOf(chunks);
}

export interface Chunk {
  atMs: number;
  bytes: number;
}

/** The rate at which chunks came after the first, which says nothing of how long it took. */
export function kbitOf(chunks: readonly Chunk[]): number | null {
  const [first, last] = [chunks[0], chunks.at(-1)];
  if (first === undefined || last === undefined || last.atMs - first.atMs < LEAST_DOWNLOAD_MS) return null;
  return (chunks.slice(1).reduce((sum, { bytes }) => sum + bytes, 0) * 8) / (last.atMs - first.atMs);
}

/** A download tells the way down where the way up let too little through to try it. */
export function withDownload<Found extends Pick<Measured, "downKbit" | "downUntried">>(found: Found, kbit: number | null): Found {
  return kbit === null ? found : { ...found, downKbit: Math.max(found.downKbit ?? 0, kbit), downUntried: false };
}

function connected(session: Session): boolean {
  const state = (session.publishing.value ?? session.subscribing.value)?.state.value;
  return state === "connected" || state === "completed";
}

/** The best of three: the first may wait for the join's own work. */
async function pingMs(session: Session): Promise<number> {
  let best = Infinity;
  for (let i = 0; i < 3; i++) {
    const sent = performance.now();
    await session.signalling.request({ type: "ping" });
    best = Math.min(best, performance.now() - sent);
  }
  return best;
}

async function pathOf(session: Session): Promise<Measured["path"]> {
  const stats = [...((await session.publishing.value?.pc.getStats())?.values() ?? [])] as Record<string, unknown>[];
  const pair = stats.find((s) => s.type === "candidate-pair" && s.nominated === true && s.state === "succeeded");
  const local = stats.find((s) => s.id === pair?.localCandidateId);
  return local?.candidateType === "relay" ? "relay" : "direct";
}

async function sample(
  sender: Session, receiver: Session, leftMs: () => number, tick: () => void,
): Promise<Sample[]> {
  const [up, down] = [new Sampler("publish"), new Sampler("subscribe")];
  const samples: Sample[] = [];
  while (leftMs() > SAMPLE_MS) {
    await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
    tick();
    const [from, to] = [sender.publishing.value?.pc, receiver.subscribing.value?.pc];
    if (from === undefined || to === undefined) break;
    const nowMs = performance.now();
    samples.push({ up: await up.sample(from, nowMs), down: await down.sample(to, nowMs) });
  }
  return samples;
}

/** What the samples of a whole test say. Null where nothing was measured. */
export function summary(samples: readonly Sample[]): Omit<Measured, "websocketMs" | "path"> {
  const settled = samples.slice(RAMP_SAMPLES);
  const [upKbit, downKbit] = [held(samples.map((s) => s.up.kbitPerSecond)), held(samples.map((s) => s.down.kbitPerSecond))];
  const losses = (side: "up" | "down"): number | null => mean(settled.flatMap((s) => s[side].loss ?? []));
  const downLoss = losses("down");
  const rtts = samples.flatMap((s) => s.up.rttMs ?? []).sort((a, b) => a - b);
  return {
    upKbit,
    downKbit,
    upLoss: losses("up"),
    downLoss,
    rttMs: rtts[Math.floor(rtts.length / 2)] ?? null,
    downUntried: (downLoss ?? 1) <= 0.01 && (downKbit ?? 0) >= UPPER_SHARE * (upKbit ?? Infinity),
    cpuShort: settled.filter((s) => s.up.limitedBy === "cpu").length * 2 > settled.length,
  };
}

function held(rates: readonly number[]): number | null {
  let best: number | null = null;
  for (let i = HELD_SAMPLES; i <= rates.length; i++) best = Math.max(best ?? 0, Math.min(...rates.slice(i - HELD_SAMPLES, i)));
  return best;
}

function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}
