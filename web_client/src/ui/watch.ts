/** Binds a freshness watch to a video element: each rendered frame is reported, the verdict is a signal. */
import { computed, signal } from "@preact/signals";
import type { ReadonlySignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { RefObject } from "preact";
import { FreshnessWatch } from "../client/freshness";
import type { Freshness, FreshnessLimits } from "../client/freshness";
import type { Publication } from "../client/room";
import { watched } from "./debug";

const TICK_MS = 100;

/** What each picture on this screen is taken for. */
const verdicts = signal<ReadonlyMap<string, Freshness["kind"]>>(new Map());

/** While a picture stands still the page must not call itself live. */
export const someFrozen = computed(() => [...verdicts.value.values()].includes("frozen"));
/** Nor while none moves. */
export const someMoving = computed(() => [...verdicts.value.values()].some((kind) => kind === "live" || kind === "late"));

function note(publication: string, kind: Freshness["kind"] | undefined): void {
  if (verdicts.peek().get(publication) === kind) return;
  const next = new Map(verdicts.peek());
  if (kind === undefined) next.delete(publication);
  else next.set(publication, kind);
  verdicts.value = next;
}

export function useFreshness(
  video: RefObject<HTMLVideoElement | null>, publication: Publication, limits: FreshnessLimits, track: MediaStreamTrack | undefined,
): ReadonlySignal<Freshness> {
  const verdict = useMemo(() => signal<Freshness>({ kind: "waiting" }), []);
  const watch = useMemo(() => new FreshnessWatch(limits), []);
  useEffect(() => {
    watch.silent(publication.silent_ms, publication.toldAtMs);
  }, [publication.silent_ms, publication.toldAtMs]);
  useEffect(() => {
    const element = video.current;
    watch.restart();
    // Without a track too: what was live before a new session is not live in it.
    verdict.value = watch.judge(performance.now());
    if (element === null || track === undefined || publication.muted) return undefined;
    return follow(element, watch, publication, (next) => (verdict.value = next));
  }, [track, publication.muted, publication.id]);
  return verdict;
}

function follow(
  element: HTMLVideoElement, watch: FreshnessWatch, publication: Publication, tell: (next: Freshness) => void,
): () => void {
  let handle = 0;
  let frames = 0;
  let shown = "";
  const rendered = (now: number): void => {
    frames += 1;
    watch.frame(now);
    handle = element.requestVideoFrameCallback(rendered);
  };
  handle = element.requestVideoFrameCallback(rendered);
  const tick = (): void => {
    if (document.hidden) return;
    const next = watch.judge(performance.now());
    const text = next.kind + ("ageMs" in next ? String(Math.floor(next.ageMs / 100)) : "");
    if (text === shown) return;
    shown = text;
    note(publication.id, next.kind);
    tell(next);
  };
  const timer = setInterval(tick, TICK_MS);
  // A hidden tab renders nothing: what it shows on return counts as unseen until its first new frame.
  const visible = (): void => {
    if (!document.hidden) watch.restart();
  };
  document.addEventListener("visibilitychange", visible);
  const forget = watched({
    publication: publication.id, label: publication.label, element, frames: () => frames,
    state: () => watch.judge(performance.now()),
  });
  return () => {
    element.cancelVideoFrameCallback(handle);
    clearInterval(timer);
    document.removeEventListener("visibilitychange", visible);
    forget();
    note(publication.id, undefined);
  };
}
