/**
 * The view by which this page reads a recording's media. Its cookie bears its id, so that tabs do not disturb one another.
 * It lasts some hours: it is opened anew before they are over, and when the server knows it no more.
 */
import { BASE, codeOf } from "./api";
import type { ReviewApi } from "./api";
import type { Detail } from "./model";

/** Of its time. The old one stands until its own end: what plays goes on without a seam. */
const RENEWED_AT = 0.9;
/** How often it is asked whether this may still be watched. */
const STANDING_MS = 2_000;
const AGAIN_MS = 30_000;
/** What may be otherwise in a while; whatever else refuses a view refuses it for good. */
const PASSING: ReadonlySet<string> = new Set(["network", "limit_reached", "rate_limited", "database_failed"]);

export class View {
  readonly recording: string;
  readonly #use: Detail["use"];
  readonly #api: Pick<ReviewApi, "open" | "stands" | "close">;
  readonly #lost: (code: string) => void;
  #ids: string[];
  #timer: ReturnType<typeof setTimeout>;
  readonly #watching: ReturnType<typeof setInterval>;
  #opening: Promise<void> | null = null;
  #closed = false;

  /** `lost` is told why it cannot be opened any more. */
  constructor(api: Pick<ReviewApi, "open" | "stands" | "close">, detail: Detail, lost: (code: string) => void) {
    this.#api = api;
    this.recording = detail.entry.id;
    this.#use = detail.use;
    this.#lost = lost;
    this.#ids = [detail.view];
    this.#timer = this.#renewIn(detail.view_seconds * RENEWED_AT * 1000);
    this.#watching = setInterval(() => void this.check(), STANDING_MS);
  }

  segment(track: string, number: number): string {
    return this.#address(`tracks/${track}/segments/${number}`);
  }

  thumbnail(track: string, seconds: number): string {
    return this.#address(`tracks/${track}/thumbnails/${Math.floor(seconds)}`);
  }

  file(exported: string, name: string): string {
    return this.#address(`exports/${exported}/files/${name}`);
  }

  /** Opens it anew if it stands no more. */
  async check(): Promise<void> {
    const stands = await this.#api.stands(this.recording, this.#ids[0] ?? "").catch(() => true);
    if (!stands) await this.#renew();
  }

  /** Also while the page is being closed. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearInterval(this.#watching);
    for (const id of this.#ids) this.#api.close(this.recording, id);
    this.#ids = [];
  }

  #address(path: string): string {
    return `${BASE}/${this.recording}/${path}?view=${this.#ids[0] ?? ""}`;
  }

  /** Once at a time, however many ask. */
  #renew(): Promise<void> {
    this.#opening ??= this.#open().finally(() => (this.#opening = null));
    return this.#opening;
  }

  #renewIn(ms: number): ReturnType<typeof setTimeout> {
    return setTimeout(() => void this.#renew(), ms);
  }

  async #open(): Promise<void> {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    try {
      this.#take(await this.#api.open(this.recording, this.#use));
    } catch (error) {
      const code = codeOf(error);
      if (PASSING.has(code)) this.#timer = this.#renewIn(AGAIN_MS);
      else this.#lost(code);
    }
  }

  #take(next: Detail): void {
    if (this.#closed) {
      this.#api.close(this.recording, next.view);
      return;
    }
    this.#ids = [next.view, ...this.#ids.slice(0, 1)];
    this.#timer = this.#renewIn(next.view_seconds * RENEWED_AT * 1000);
  }
}
