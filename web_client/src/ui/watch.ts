/** Binds a freshness watch to a video element: each rendered frame is reported, the verdict is a signal. */
import { signal } from "@preact/signals";
import type { ReadonlySignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { RefObject } from "preact";
import { FreshnessWatch } from "../client/freshness";
import type { Freshness, FreshnessLimits } from "../client/freshness";
import type { Publication } from "../client/room";
import { watched } from "./debug";

const TICK_MS = 100;

/** Publications whose picture stands still on this screen: while there is one, the page must not call itself live. */
export const frozenPictures = signal<ReadonlySet<string>>(new Set());

function markFrozen(publication: string, frozen: boolean): void {
  if (frozenPictures.peek().has(publication) === frozen) return;
  const next = new Set(frozenPictures.peek());
  if (frozen) next.add(publication);
  else next.delete(publication);
  frozenPictures.value = next;
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
    if (element === null || track === undefined || publication.muted) return undefined;
    watch.restart();
    verdict.value = watch.judge(performance.now());
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
    markFrozen(publication.id, next.kind === "frozen");
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
    markFrozen(publication.id, false);
  };
}
