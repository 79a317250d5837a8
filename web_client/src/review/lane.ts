/**
 * One track on two media elements: one plays the segment of the moment, the other has the next one ready. Follows the
 * master clock; never leads it.
 */
import { correction } from "./clock";
import type { MasterClock } from "./clock";
import { gapAt, segmentAfter, segmentAt } from "./model";
import type { Gap, Segment, Track } from "./model";
import type { View } from "./view";

/** The next segment is fetched this long before it is needed, times the speed. */
const AHEAD_SECONDS = 8;
/** A moment is the picture that begins with it: a rounding error must not show the one before. */
const WITHIN_FRAME_SECONDS = 0.001;
/** A track that stands is put right to within this: less than any frame lasts. */
const EXACT_SECONDS = 0.004;
/** What stands still for less is not called waiting. */
const ENOUGH = HTMLMediaElement.HAVE_CURRENT_DATA;

export type LaneState = { kind: "gap"; gap: Gap } | { kind: "waiting" } | { kind: "shown"; drift: number };

interface Holder {
  element: HTMLVideoElement;
  segment: Segment | null;
}

export class Lane {
  readonly track: Track;
  readonly #view: View;
  #front: Holder;
  #back: Holder;
  #failures = 0;

  constructor(view: View, track: Track, elements: readonly [HTMLVideoElement, HTMLVideoElement]) {
    this.#view = view;
    this.track = track;
    this.#front = { element: elements[0], segment: null };
    this.#back = { element: elements[1], segment: null };
    for (const element of elements) {
      element.addEventListener("error", this.#failed);
    }
    this.#show();
  }

  /** Brings the track where the clock is; called many times a second. */
  follow(clock: MasterClock, nowMs: number): LaneState {
    const at = clock.at(nowMs);
    const gap = gapAt(this.track, at);
    const segment = gap === null ? segmentAt(this.track, at) : null;
    if (gap !== null || segment === null) {
      this.#pause();
      this.#prepareFrom(at, clock.speed);
      return { kind: "gap", gap: gap ?? { start: at, end: at, reason: "not_recorded" } };
    }
    if (this.#front.segment?.number !== segment.number) this.#turnTo(segment);
    this.#prepareNext(segment, at, clock.speed);
    return this.#steer(clock, at - segment.start + WITHIN_FRAME_SECONDS);
  }

  setMuted(muted: boolean): void {
    for (const { element } of [this.#front, this.#back]) element.muted = muted;
  }

  close(): void {
    for (const holder of [this.#front, this.#back]) {
      holder.element.removeEventListener("error", this.#failed);
      holder.element.pause();
      holder.element.removeAttribute("src");
      holder.element.load();
    }
  }

  #steer(clock: MasterClock, within: number): LaneState {
    const { element } = this.#front;
    const wanted = Math.min(within, Number.isFinite(element.duration) ? Math.max(0, element.duration - 0.001) : within);
    if (element.readyState < HTMLMediaElement.HAVE_METADATA) return { kind: "waiting" };
    if (element.seeking) return { kind: "waiting" };
    const drift = element.currentTime - wanted;
    const next = correction(drift, clock.speed);
    if (!clock.running) this.#pause();
    if (clock.running ? next.kind === "jump" : Math.abs(drift) > EXACT_SECONDS) {
      element.currentTime = wanted;
      return { kind: "waiting" };
    }
    if (clock.running) {
      this.#rate(next.kind === "rate" ? next.rate : clock.speed);
      // `play` rejects when `pause` comes before it began; the next call tries again.
      if (element.paused && !element.ended) element.play().catch(() => undefined);
    }
    return element.readyState < ENOUGH ? { kind: "waiting" } : { kind: "shown", drift };
  }

  #rate(rate: number): void {
    const { element } = this.#front;
    if (Math.abs(element.playbackRate - rate) > 0.001) element.playbackRate = rate;
  }

  #turnTo(segment: Segment): void {
    this.#front.element.pause();
    if (this.#back.segment?.number === segment.number) [this.#front, this.#back] = [this.#back, this.#front];
    else this.#load(this.#front, segment);
    this.#show();
  }

  #load(holder: Holder, segment: Segment): void {
    holder.segment = segment;
    holder.element.preload = "auto";
    holder.element.src = this.#view.segment(this.track.id, segment.number);
  }

  #prepareNext(segment: Segment, at: number, speed: number): void {
    const next = segmentAfter(this.track, segment);
    if (next === null || this.#back.segment?.number === next.number) return;
    if (next.start - at < AHEAD_SECONDS * speed) this.#load(this.#back, next);
  }

  #prepareFrom(at: number, speed: number): void {
    const next = this.track.segments.find((one) => one.start > at);
    if (next === undefined || this.#back.segment?.number === next.number) return;
    if (next.start - at < AHEAD_SECONDS * speed) this.#load(this.#back, next);
  }

  #pause(): void {
    if (!this.#front.element.paused) this.#front.element.pause();
  }

  #show(): void {
    this.#front.element.hidden = false;
    this.#back.element.hidden = true;
  }

  #failed = (event: Event): void => {
    const holder = [this.#front, this.#back].find((one) => one.element === event.target);
    if (holder === undefined || holder.segment === null) return;
    this.#failures += 1;
    // Not asked again at once: a server that refuses would be asked many times a second.
    const { segment } = holder;
    void this.#view.check();
    setTimeout(() => {
      if (holder.segment === segment) holder.segment = null;
    }, 1000 * Math.min(10, this.#failures));
  };
}
