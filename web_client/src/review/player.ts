/** All tracks of one open recording under one clock: what the page asks for and what it shows. */
import { signal } from "@preact/signals";
import type { Signal } from "@preact/signals";
import { faster, MasterClock, slower } from "./clock";
import { Lane } from "./lane";
import type { LaneState } from "./lane";
import { frameSeconds, gapAt } from "./model";
import type { Detail, Track } from "./model";
import type { View } from "./view";

/** While a picture loads all wait for it, but not for ever: a camera that does not come must not stop the others. */
const PATIENCE_MS = 3_000;
/** The page's figures change this often; pictures follow the clock at every frame. */
const TOLD_MS = 100;

export class Player {
  readonly detail: Detail;
  /** By which its media are read. */
  readonly view: View;
  readonly position: Signal<number>;
  readonly playing = signal(false);
  readonly speed = signal(1);
  readonly soundOn = signal(true);
  /** By track; what is not here is not on the page. */
  readonly states = signal<ReadonlyMap<string, LaneState>>(new Map());
  readonly #clock: MasterClock;
  readonly #lanes = new Map<string, Lane>();
  #latest = new Map<string, LaneState>();
  #frame = 0;
  #waitingSinceMs: number | null = null;
  #toldMs = 0;

  constructor(detail: Detail, seconds: number, view: View) {
    this.detail = detail;
    this.view = view;
    this.#clock = new MasterClock(detail.seconds);
    this.#clock.seek(seconds, performance.now());
    this.position = signal(this.#clock.at(performance.now()));
    this.#frame = requestAnimationFrame(this.#tick);
  }

  attach(track: Track, elements: readonly [HTMLVideoElement, HTMLVideoElement]): () => void {
    const lane = new Lane(this.view, track, elements);
    lane.setMuted(track.kind === "video" || !this.soundOn.value);
    this.#lanes.set(track.id, lane);
    return () => {
      lane.close();
      this.#lanes.delete(track.id);
    };
  }

  toggle(): void {
    if (!this.playing.value && this.position.value >= this.detail.seconds - 0.05) this.seek(0);
    this.playing.value = !this.playing.value;
  }

  seek(seconds: number): void {
    this.#clock.seek(seconds, performance.now());
    this.#waitingSinceMs = null;
    this.#latest = new Map();
    this.#tell(performance.now(), true);
  }

  skip(seconds: number): void {
    this.seek(this.#clock.at(performance.now()) + seconds);
  }

  /** One frame of a camera on or back, standing. */
  step(frames: 1 | -1, camera: Track | undefined): void {
    this.playing.value = false;
    this.#clock.run(false, performance.now());
    this.skip(frames * frameSeconds(camera, this.#clock.at(performance.now())));
  }

  setSpeed(speed: number): void {
    this.speed.value = speed;
    this.#clock.setSpeed(speed, performance.now());
  }

  faster(): void {
    this.setSpeed(faster(this.speed.value));
  }

  slower(): void {
    this.setSpeed(slower(this.speed.value));
  }

  toggleSound(): void {
    this.soundOn.value = !this.soundOn.value;
    for (const lane of this.#lanes.values()) lane.setMuted(lane.track.kind === "video" || !this.soundOn.value);
  }

  /** The greatest distance between any two tracks that are shown now, in ms. */
  spreadMs(): number {
    const drifts = [...this.#latest.values()].flatMap((state) => (state.kind === "shown" ? [state.drift] : []));
    return drifts.length < 2 ? 0 : (Math.max(...drifts) - Math.min(...drifts)) * 1000;
  }

  /** Picture and sound are there, or rightly are not. */
  get settled(): boolean {
    const states = [...this.#latest.values()];
    return states.length > 0 && states.every((state) => state.kind !== "waiting");
  }

  close(): void {
    cancelAnimationFrame(this.#frame);
    for (const lane of this.#lanes.values()) lane.close();
    this.#lanes.clear();
    this.view.close();
  }

  #tick = (nowMs: number): void => {
    this.#frame = requestAnimationFrame(this.#tick);
    const now = Math.max(nowMs, performance.now());
    const states = new Map<string, LaneState>();
    for (const lane of this.#lanes.values()) states.set(lane.track.id, lane.follow(this.#clock, now));
    this.#hold([...states.values()].some((state) => state.kind === "waiting"), now);
    if (this.playing.value && this.#clock.at(now) >= this.detail.seconds) this.playing.value = false;
    this.#latest = states;
    if (!sameKinds(states, this.states.value)) this.states.value = states;
    this.#tell(now, false);
  };

  /** The clock stands while a track that should be seen is not there yet. */
  #hold(waiting: boolean, nowMs: number): void {
    if (!waiting) this.#waitingSinceMs = null;
    else this.#waitingSinceMs ??= nowMs;
    const patient = this.#waitingSinceMs !== null && nowMs - this.#waitingSinceMs < PATIENCE_MS;
    const run = this.playing.value && !patient;
    if (run !== this.#clock.running) this.#clock.run(run, nowMs);
  }

  #tell(nowMs: number, atOnce: boolean): void {
    if (!atOnce && nowMs - this.#toldMs < TOLD_MS) return;
    this.#toldMs = nowMs;
    this.position.value = this.#clock.at(nowMs);
  }
}

/** Drifts change at every frame; the page is drawn anew when something else does. */
function sameKinds(one: ReadonlyMap<string, LaneState>, other: ReadonlyMap<string, LaneState>): boolean {
  if (one.size !== other.size) return false;
  return [...one].every(([track, state]) => {
    const before = other.get(track);
    return before?.kind === state.kind && (state.kind !== "gap" || (before.kind === "gap" && before.gap.start === state.gap.start));
  });
}

/** Whether a thumbnail of this track at this moment exists. */
export const hasPicture = (track: Track, seconds: number): boolean => gapAt(track, seconds) === null;
