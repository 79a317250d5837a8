/**
 * When to restart ICE on one transport. A short "disconnected" heals by itself; "failed", a long "disconnected" or a
 * changed network does not. A restart keeps DTLS and SRTP, so the picture goes on as soon as a path is found.
 */

/** Enough for one lost consent check and its repeat (RFC 7675 section 5.1: every 5 s, ±20 %) to be told from a cut. */
const DISCONNECTED_MS = 2_000;
/** One restart needs a round trip of signalling and of checks; a second sooner only disturbs the first. */
const BETWEEN_MS = 3_000;
/** After so many restarts without a connection the transport is beyond repair. */
const MAX_RESTARTS = 5;

export interface Recoverable {
  readonly iceConnectionState: RTCIceConnectionState;
}

export class Recovery {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private restarts = 0;
  private lastRestart = -Infinity;

  constructor(
    private readonly transport: Recoverable,
    private readonly restart: () => Promise<void>,
    private readonly giveUp: () => void,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** `iceconnectionstatechange` fired. */
  changed(): void {
    const state = this.transport.iceConnectionState;
    if (state === "connected" || state === "completed") {
      this.restarts = 0;
      this.stop();
    } else if (state === "failed") this.after(0);
    else if (state === "disconnected") this.after(DISCONNECTED_MS);
    else if (state === "closed") this.stop();
  }

  /** The machine has another network now (Wi-Fi to 4G), or the page woke up: do not wait for consent to expire. */
  networkChanged(): void {
    const state = this.transport.iceConnectionState;
    if (state !== "new" && state !== "closed") this.after(0);
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private after(ms: number): void {
    this.stop();
    const earliest = this.lastRestart + BETWEEN_MS - this.now();
    this.timer = setTimeout(() => void this.run(), Math.max(ms, earliest, 0));
  }

  private async run(): Promise<void> {
    this.timer = undefined;
    if (this.restarts >= MAX_RESTARTS) {
      this.giveUp();
      return;
    }
    this.restarts += 1;
    this.lastRestart = this.now();
    try {
      await this.restart();
    } catch {
      // The signalling is away or the server refused: the state is looked at again below either way.
    }
    const state = this.transport.iceConnectionState;
    if (state !== "connected" && state !== "completed" && state !== "closed") this.after(BETWEEN_MS);
  }
}
