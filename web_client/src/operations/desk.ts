/** What the page knows, kept fresh: the board and alerts for all, the open room and its history when one is open. */
import { effect, signal } from "@preact/signals";
import { JoinRefused } from "../client/errors";
import { serverNowMs } from "./age";
import type { Received } from "./age";
import { Refusal } from "./api";
import type { OperationsApi } from "./api";
import type { Alert, RoomDetail, Sample, TimelineEvent } from "./model.generated";
import { askFrom, grown } from "./events";
import { selected } from "./place";
import type { Causes } from "./said";
import { appended, KEPT_MS } from "./series";

const BOARD_MS = 2_000;
const TICK_MS = 500;

/** `refused` holds the code of what a person must do something about; a network that is away is only old data. */
export type Access = { kind: "open" } | { kind: "refused"; code: string };

export class Desk {
  readonly received = signal<Received | null>(null);
  readonly nowMs = signal(performance.now());
  readonly access = signal<Access>({ kind: "open" });
  readonly alerts = signal<readonly Alert[]>([]);
  readonly room = signal<RoomDetail | null>(null);
  /** The open room is none that stands. */
  readonly roomGone = signal(false);
  readonly timeline = signal<readonly TimelineEvent[]>([]);
  readonly causes = signal<Causes>(new Map());
  readonly samples = signal<readonly Sample[]>([]);
  private opened = "";

  constructor(readonly api: OperationsApi) {}

  /** Begins to poll; the function that ends it. */
  start(): () => void {
    const tick = setInterval(() => (this.nowMs.value = performance.now()), TICK_MS);
    const over = new AbortController();
    const poll = async (): Promise<void> => {
      while (!over.signal.aborted) {
        await this.refresh();
        await new Promise((resolve) => setTimeout(resolve, BOARD_MS));
      }
    };
    void poll();
    const stop = effect(() => {
      const { room, participant, past } = selected.value;
      const opened = `${room ?? ""}/${participant ?? ""}/${past ?? ""}`;
      if (opened === this.opened) return;
      this.opened = opened;
      queueMicrotask(() => void this.open());
    });
    return () => {
      over.abort();
      stop();
      clearInterval(tick);
    };
  }

  /** One look at everything that is on the screen. */
  async refresh(): Promise<void> {
    await this.tried(async () => {
      const board = await this.api.board();
      this.received.value = { board, receivedMs: performance.now() };
      if (this.causes.value.size === 0) this.causes.value = await this.api.causes();
      this.alerts.value = board.open_alerts > 0 ? (await this.api.openAlerts()).alerts : [];
    });
    await this.refreshRoom();
  }

  private async open(): Promise<void> {
    this.room.value = null;
    this.roomGone.value = false;
    this.samples.value = [];
    this.timeline.value = [];
    await this.refreshRoom();
  }

  private async refreshRoom(): Promise<void> {
    const { room, participant, past } = selected.value;
    if (room === null || past !== null) return;
    const opened = this.opened;
    const still = (): boolean => opened === this.opened;
    await this.tried(async () => {
      try {
        const detail = await this.api.room(room);
        if (still()) this.room.value = detail;
      } catch (error) {
        if (!(error instanceof Refusal) || error.status !== 404) throw error;
        if (still()) this.roomGone.value = true;
      }
      const since = this.serverNow() - KEPT_MS;
      const asked = askFrom(this.timeline.value, since);
      const { found } = await this.api.timeline(room, { fromMs: asked });
      if (still()) this.timeline.value = grown(this.timeline.value, found, asked, since);
      if (participant === null) return;
      const from = (this.samples.value.at(-1)?.at_ms ?? since) + 1;
      const { found: fresh } = await this.api.history(room, participant, from);
      if (still()) this.samples.value = appended(this.samples.value, fresh);
    });
  }

  /** Now, by the server's clock: this computer's may be wrong. */
  serverNow(): number {
    const known = this.received.value;
    return known === null ? Date.now() : serverNowMs(known, performance.now());
  }

  private async tried(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.access.value = { kind: "open" };
    } catch (error) {
      if (error instanceof Refusal && (error.status === 403 || error.status === 401)) {
        this.access.value = { kind: "refused", code: error.code };
      } else if (error instanceof JoinRefused && !error.retryable) {
        this.access.value = { kind: "refused", code: error.code };
      }
      // Anything else leaves the board as it is; it grows old, and says so.
    }
  }
}
