/**
 * Is this picture now, or a memory? Judged from frames actually rendered, never from bit rate: a frozen picture must
 * not look live (limits from the clinical design: 0.5 s late, 1 s frozen for those who act on it, 3 s for observers).
 */

export type Freshness =
  | { kind: "waiting" }
  | { kind: "live" }
  | { kind: "late"; ageMs: number }
  | { kind: "frozen"; ageMs: number };

export interface FreshnessLimits {
  lateMs: number;
  frozenMs: number;
}

export const ACTING: FreshnessLimits = { lateMs: 500, frozenMs: 1_000 };
export const WATCHING: FreshnessLimits = { lateMs: 500, frozenMs: 3_000 };

/** An alarm is raised at once and cleared only after this long without a gap. */
const CLEAR_MS = 1_000;

/** Watches one picture. All times are one monotonic clock in milliseconds. */
export class FreshnessWatch {
  private state: Freshness = { kind: "waiting" };
  private lastFrame: number | null = null;
  private freshSince = 0;
  private silentSince: number | null = null;
  private toldAt = 0;

  constructor(private readonly limits: FreshnessLimits) {}

  /** A frame was rendered. */
  frame(now: number): void {
    if (this.lastFrame === null || now - this.lastFrame > this.limits.lateMs) this.freshSince = now;
    this.lastFrame = now;
    // A frame well after the server's word proves that the source flows again.
    if (this.silentSince !== null && now - this.toldAt > this.limits.lateMs) this.silentSince = null;
  }

  /** The server says for how long the source has been silent (0: it flows). */
  silent(silentMs: number, now: number): void {
    this.silentSince = silentMs > 0 ? now - silentMs : null;
    this.toldAt = now;
  }

  /** The picture was not watched for a while (tab hidden, muted): what is on screen is not known to be fresh. */
  restart(): void {
    this.state = { kind: "waiting" };
    this.lastFrame = null;
  }

  judge(now: number): Freshness {
    if (this.lastFrame === null) return this.state;
    const ageMs = Math.max(now - this.lastFrame, this.silentSince === null ? 0 : now - this.silentSince);
    if (ageMs > this.limits.frozenMs) this.state = { kind: "frozen", ageMs };
    else if (ageMs > this.limits.lateMs && this.state.kind !== "frozen") this.state = { kind: "late", ageMs };
    else if (this.state.kind === "waiting") this.state = { kind: "live" };
    else if (this.state.kind !== "live") {
      const clear = ageMs <= this.limits.lateMs && now - this.freshSince >= CLEAR_MS;
      this.state = clear ? { kind: "live" } : { kind: this.state.kind, ageMs };
    }
    return this.state;
  }
}
