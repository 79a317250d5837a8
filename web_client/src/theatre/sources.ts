/** The sources a theatre has prepared or sends: a list of captures, each with a type, a label and its sending. */
import { effect, signal } from "@preact/signals";
import type { Signal } from "@preact/signals";
import { PROFILES } from "../client/profiles";
import type { SourceType } from "../client/protocol";
import type { Sending } from "../client/publish";
import type { Session } from "../client/session";
import { words } from "../i18n";
import { Capture } from "../ui/capture";

/** What a source is doing for the room. */
export type Doing =
  | { kind: "prepared" }
  | { kind: "starting" }
  | { kind: "sending"; sending: Sending }
  | { kind: "failed" }
  | { kind: "ended" };

export interface TheatreSource {
  readonly key: number;
  readonly capture: Capture;
  readonly type: Signal<SourceType>;
  /** As typed; empty means: named after its type. */
  readonly label: Signal<string>;
  readonly doing: Signal<Doing>;
}

export const sources = signal<readonly TheatreSource[]>([]);
let nextKey = 1;

export const isSound = (source: TheatreSource): boolean => PROFILES[source.type.value].kind === "audio";

/** The name that viewers see; equal types get numbers, since two tiles must never have one name. */
export function labelOf(source: TheatreSource): string {
  const typed = source.label.value.trim();
  if (typed !== "") return typed.normalize("NFC");
  const same = sources.value.filter((s) => s.type.value === source.type.value && s.label.value.trim() === "");
  const name = words.value.sourceTypes[source.type.value];
  const index = same.indexOf(source);
  return index > 0 ? `${name} ${index + 1}` : name;
}

export function add(type: SourceType, screen = false): TheatreSource {
  const sourceType = signal(type);
  const source: TheatreSource = {
    key: nextKey++, type: sourceType, capture: new Capture("theatre", sourceType, screen), label: signal(""),
    doing: signal<Doing>({ kind: "prepared" }),
  };
  const taken = sources.value.map((s) => s.capture.deviceId.value).filter((id) => id !== null);
  sources.value = [...sources.value, source];
  void source.capture.open(new Set(taken)).then(() => {
    // A closed screen picker leaves nothing to talk about.
    if (source.capture.fault.value?.fault === "cancelled") remove(source);
  });
  return source;
}

export function remove(source: TheatreSource): void {
  source.capture.close();
  sources.value = sources.value.filter((s) => s !== source);
}

/** Another type means another capture size and hint; the device stays. */
export function retype(source: TheatreSource, type: SourceType): void {
  source.type.value = type;
  if (!source.capture.screen && source.capture.track !== undefined) void source.capture.open();
}

export async function start(session: Session, source: TheatreSource): Promise<void> {
  if (source.capture.track === undefined) await source.capture.open();
  const { track } = source.capture;
  if (track === undefined) return;
  source.doing.value = { kind: "starting" };
  track.addEventListener("ended", () => void deviceGone(session, source, track), { once: true });
  try {
    const sending = await session.publish(track, labelOf(source), source.type.value);
    source.doing.value = { kind: "sending", sending };
    sayWhenRefused(session, source, sending);
  } catch {
    source.doing.value = { kind: "failed" };
  }
}

/** A new session after a loss may refuse the source: it must not look as if it were still on its way. */
function sayWhenRefused(session: Session, source: TheatreSource, sending: Sending): void {
  const stop = effect(() => {
    const doing = source.doing.value;
    if (doing.kind !== "sending" || doing.sending !== sending) queueMicrotask(() => stop());
    else if (session.phase.value.kind !== "ended" && !session.sending.value.includes(sending)) {
      source.doing.value = { kind: "failed" };
    }
  });
}

export async function stop(session: Session, source: TheatreSource): Promise<void> {
  const doing = source.doing.value;
  source.doing.value = { kind: "prepared" };
  remove(source);
  if (doing.kind === "sending") await session.unpublish(doing.sending).catch(() => undefined);
}

export async function stopAll(session: Session): Promise<void> {
  await Promise.all(sources.value.filter((s) => s.doing.value.kind === "sending").map((s) => stop(session, s)));
}

/** The cable was pulled or the sharing ended by the browser's own button: say so instead of showing the last frame. */
async function deviceGone(session: Session, source: TheatreSource, track: MediaStreamTrack): Promise<void> {
  const doing = source.doing.value;
  if (doing.kind !== "sending" || doing.sending.track !== track) return;
  source.doing.value = { kind: "ended" };
  source.capture.close();
  await session.unpublish(doing.sending).catch(() => undefined);
}
