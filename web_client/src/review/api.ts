/** Talks to the server about recordings. A token lives ten minutes: it is exchanged anew for the invitation by itself. */
import { JoinRefused, refusalCode } from "../client/errors";
import { exchange } from "../client/invitation";
import type { Admission } from "../client/invitation";
import type { Bookmark, Detail, Entry, Use } from "./model";
import type { Received } from "./viewers";

export const BASE = "/api/v1/recordings";

const ANY_ROOM = "*";

export interface Search {
  text: string;
  staff: string;
  room: string;
  from: string;
  to: string;
}

export interface Found {
  recordings: Entry[];
  more: boolean;
}

export interface ExportState {
  id: string;
  form: string;
  /** What it is for; only a view for that may take its files. */
  use: Use;
  state: "waiting" | "running" | "finished" | "failed" | "cancelled";
  percent: number;
  rate: number;
  left_seconds: number | null;
  files: string[];
  code: string;
  archive: ArchiveState | null;
}

/** Where the sending of an export's DICOM objects to the archive is; null: nobody asked for it. */
export interface ArchiveState {
  state: "sending" | "stored" | "failed";
  percent: number;
  code: string;
}

/** Of one recording; `archive` is the title of the archive (PACS) that objects may be sent to. */
export interface ExportList {
  exports: ExportState[];
  archive: string | null;
}

/** Whom a DICOM object is about; empty fields name nobody. */
export interface Subject {
  patient_id: string;
  patient_name: string;
  birth_date: string;
  sex: string;
}

export interface Order {
  subject?: Subject;
  form: string;
  use: Use;
  tracks: string[];
  start_seconds: number;
  end_seconds: number | null;
  sound: boolean;
  language: string;
}

/** The server refused; `code` is what it said. */
export class Refused extends Error {
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.name = "Refused";
    this.code = code;
  }
}

export function codeOf(error: unknown): string {
  return error instanceof Refused || error instanceof JoinRefused ? error.code : "other";
}

export class ReviewApi {
  readonly #invitation: string;
  #admission: Admission;

  constructor(invitation: string, admission: Admission) {
    this.#invitation = invitation;
    this.#admission = admission;
  }

  /** Whether recordings of more rooms than one may be found. */
  get ofAllRooms(): boolean {
    return this.#admission.room === ANY_ROOM;
  }

  find(search: Search): Promise<Found> {
    const query = new URLSearchParams(Object.entries(search).filter(([, value]) => value !== ""));
    return this.#ask<Found>("GET", `${BASE}?${query}`);
  }

  /** The answer sets a cookie by which this browser's players read the media. */
  open(recording: string, use: Use): Promise<Detail> {
    return this.#ask<Detail>("POST", `${BASE}/${recording}/views`, { use });
  }

  received(recording: string): Promise<Received> {
    return this.#ask<Received>("GET", `${BASE}/${recording}/reception`);
  }

  /** Whether the server still lets this browser read it; a server that cannot be reached has not said no. */
  async stands(recording: string, view: string): Promise<boolean> {
    return (await this.#send("GET", `${BASE}/${recording}/views?view=${view}`, undefined)).status !== 401;
  }

  /** Also while the page is being closed. */
  close(recording: string, view: string): void {
    void fetch(`${BASE}/${recording}/views?view=${view}`, { method: "DELETE", keepalive: true }).catch(() => undefined);
  }

  mark(recording: string, seconds: number, label: string): Promise<Bookmark> {
    return this.#ask<Bookmark>("POST", `${BASE}/${recording}/bookmarks`, { seconds, label });
  }

  unmark(recording: string, bookmark: string): Promise<void> {
    return this.#ask("DELETE", `${BASE}/${recording}/bookmarks/${bookmark}`);
  }

  startExport(recording: string, order: Order): Promise<ExportState> {
    return this.#ask<ExportState>("POST", `${BASE}/${recording}/exports`, order);
  }

  exports(recording: string): Promise<ExportList> {
    return this.#ask<ExportList>("GET", `${BASE}/${recording}/exports`);
  }

  sendExport(recording: string, id: string): Promise<ExportState> {
    return this.#ask<ExportState>("POST", `${BASE}/${recording}/exports/${id}/archive`);
  }

  removeExport(recording: string, id: string): Promise<void> {
    return this.#ask("DELETE", `${BASE}/${recording}/exports/${id}`);
  }

  async #ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    let answer = await this.#send(method, path, body);
    if (answer.status === 401) {
      this.#admission = await exchange(this.#invitation);
      answer = await this.#send(method, path, body);
    }
    if (!answer.ok) throw new Refused(await refusalCode(answer));
    return (answer.status === 204 ? undefined : await answer.json()) as T;
  }

  async #send(method: string, path: string, body: unknown): Promise<Response> {
    const headers: Record<string, string> = { authorization: `Bearer ${this.#admission.token}` };
    if (body !== undefined) headers["content-type"] = "application/json";
    try {
      return await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), cache: "no-store" });
    } catch {
      throw new JoinRefused("network", true);
    }
  }
}
