/** The REST side of procedures: which patient a room serves, and what was consented to. */
import { JoinRefused, refusalCode } from "./errors";
import { exchange } from "./invitation";

export const PURPOSES = ["treatment_link", "recording", "teaching", "outside_viewers"] as const;
export const RELATIONS = ["patient", "guardian", "relative", "representative"] as const;
export const FORMS = ["written", "spoken", "read_aloud", "electronic"] as const;
/** How long recordings are kept: the server's settings say how many days each. */
export const RETENTIONS = ["clinical", "teaching", "test"] as const;
export type Retention = (typeof RETENTIONS)[number];
export type Purpose = (typeof PURPOSES)[number];
export type Relation = (typeof RELATIONS)[number];
export type Form = (typeof FORMS)[number];
export type Decision = "given" | "refused" | "withdrawn";

/** Of the texts that are read out before a decision (`procedure.texts` of the dictionaries). */
export const TEXT_VERSION = "2026-11";

export interface PurposeState {
  purpose: Purpose;
  permitted: boolean;
  decision: Decision | null;
  decided_at: string | null;
  by_break_glass: boolean;
}

export interface Procedure {
  id: string;
  room: string;
  reference: string;
  title: string;
  retention_class: Retention;
  opened_at: string;
  confirmed_at: string | null;
  closed_at: string | null;
  purposes: PurposeState[];
}

interface Listed {
  procedures: Procedure[];
  /** Why this server has no procedures at all. */
  unavailable: string | null;
}

export interface Consent {
  purpose: Purpose;
  decision: Decision;
  by: string;
  relation: Relation;
  form: Form;
  language: string;
}

/** The server did not do it; `code` is its reason, or `network`. */
export class ProcedureRefused extends Error {
  constructor(readonly code: string) {
    super(`not done: ${code}`);
    this.name = "ProcedureRefused";
  }
}

/** Asks as the holder of an invitation; the ten-minute tokens behind it are renewed as they expire. */
export class Procedures {
  #token: string | null = null;

  constructor(
    private readonly invitation: string,
    private readonly fetcher: typeof fetch = (input, init) => fetch(input, init),
  ) {}

  /** The procedure that the room serves now. */
  async current(room: string): Promise<Procedure | null> {
    const found = await this.#ask<Listed>("GET", `rooms/${encodeURIComponent(room)}/procedures`);
    if (found.unavailable !== null) throw new ProcedureRefused(found.unavailable);
    return found.procedures.find((one) => one.closed_at === null) ?? null;
  }

  open(room: string, reference: string, title: string, retention: Retention): Promise<Procedure> {
    return this.#ask("POST", "procedures", { room, reference, title, retention_class: retention });
  }

  confirm(id: string): Promise<Procedure> {
    return this.#ask("POST", `procedures/${id}/confirmation`);
  }

  close(id: string): Promise<Procedure> {
    return this.#ask("POST", `procedures/${id}/closing`);
  }

  async decide(id: string, consent: Consent): Promise<PurposeState[]> {
    const body = { ...consent, text_version: TEXT_VERSION };
    return (await this.#ask<{ purposes: PurposeState[] }>("POST", `procedures/${id}/consents`, body)).purposes;
  }

  breakGlass(id: string, purpose: Purpose, reason: string): Promise<Procedure> {
    return this.#ask("POST", `procedures/${id}/break-glass`, { purpose, reason });
  }

  async #ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    let answer = await this.#send(method, path, body, await this.#bearer(false));
    if (answer.status === 401) answer = await this.#send(method, path, body, await this.#bearer(true));
    if (!answer.ok) throw new ProcedureRefused(await refusalCode(answer));
    return (await answer.json()) as T;
  }

  async #bearer(anew: boolean): Promise<string> {
    try {
      if (anew || this.#token === null) this.#token = (await exchange(this.invitation, this.fetcher)).token;
      return this.#token;
    } catch (error) {
      throw error instanceof JoinRefused ? new ProcedureRefused(error.code) : error;
    }
  }

  async #send(method: string, path: string, body: unknown, token: string): Promise<Response> {
    const headers: Record<string, string> = { authorization: `Bearer ${token}` };
    if (body !== undefined) headers["content-type"] = "application/json";
    try {
      return await this.fetcher(`/api/v1/${path}`, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        cache: "no-store",
        credentials: "omit",
        signal: AbortSignal.timeout(10_000),
      });
    } catch {
      throw new ProcedureRefused("network");
    }
  }
}
