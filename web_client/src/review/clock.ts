/**
 * The one clock that every track of a recording follows, and what a track that is off it has to do. Pure: the page's
 * time (ms) is an argument.
 */
export const SPEEDS = [0.25, 0.5, 1, 1.5, 2, 4] as const;

/** Up to here nobody sees that picture and sound, or two pictures, are apart; left alone. */
export const CLOSE_SECONDS = 0.02;
/** From here on a track jumps; between, it runs a little faster or slower until it is back. */
export const JUMP_SECONDS = 0.35;
/** Of speed: what is made good this way is neither seen nor heard. */
const MOST_CORRECTION = 0.12;

export class MasterClock {
  readonly end: number;
  #seconds = 0;
  #sinceMs = 0;
  #speed = 1;
  #running = false;

  constructor(end: number) {
    this.end = end;
  }

  get running(): boolean {
    return this.#running;
  }

  get speed(): number {
    return this.#speed;
  }

  /** Where the recording stands now. */
  at(nowMs: number): number {
    const passed = this.#running ? ((nowMs - this.#sinceMs) / 1000) * this.#speed : 0;
    return Math.min(this.end, Math.max(0, this.#seconds + passed));
  }

  seek(seconds: number, nowMs: number): void {
    this.#seconds = Math.min(this.end, Math.max(0, seconds));
    this.#sinceMs = nowMs;
  }

  run(running: boolean, nowMs: number): void {
    this.seek(this.at(nowMs), nowMs);
    this.#running = running;
  }

  setSpeed(speed: number, nowMs: number): void {
    this.seek(this.at(nowMs), nowMs);
    this.#speed = speed;
  }
}

export type Correction = { kind: "none" } | { kind: "jump" } | { kind: "rate"; rate: number };

/** What a track does about its drift (its place minus the clock's, in seconds of the recording) at a speed. */
export function correction(drift: number, speed: number): Correction {
  const apart = Math.abs(drift);
  if (apart > JUMP_SECONDS * Math.max(1, speed)) return { kind: "jump" };
  if (apart <= CLOSE_SECONDS) return { kind: "none" };
  const share = Math.min(MOST_CORRECTION, apart);
  return { kind: "rate", rate: speed * (1 - Math.sign(drift) * share) };
}

export function faster(speed: number): number {
  return SPEEDS.find((one) => one > speed) ?? SPEEDS[SPEEDS.length - 1] ?? 1;
}

export function slower(speed: number): number {
  return [...SPEEDS].reverse().find((one) => one < speed) ?? SPEEDS[0];
}
