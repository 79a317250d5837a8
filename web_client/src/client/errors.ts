/** Everything that can go wrong between this page and the server, with the code a person can read out by phone. */
import type { ErrorMessage } from "./protocol";

/** The server answered a request with an error. */
export class RequestRefused extends Error {
  readonly code: string;
  readonly retryable: boolean;
  readonly field: string | null;

  constructor(answer: ErrorMessage) {
    super(answer.message);
    this.name = "RequestRefused";
    this.code = answer.code;
    this.retryable = answer.retryable;
    this.field = answer.field ?? null;
  }
}

/** The socket went away before the answer came. */
export class Disconnected extends Error {
  constructor() {
    super("the connection to the server was lost before the answer");
    this.name = "Disconnected";
  }
}

/** The code of an answer that is no success: the server's own when it names one, else the HTTP status. */
export async function refusalCode(answer: Response): Promise<string> {
  try {
    const body = (await answer.json()) as { code?: unknown };
    if (typeof body.code === "string") return body.code;
  } catch {
    // Not JSON (a proxy's page): the status says enough.
  }
  return `http_${answer.status}`;
}

/** The invitation could not be exchanged for a join token. `retryable` says whether trying again can help. */
export class JoinRefused extends Error {
  readonly code: string;
  readonly retryable: boolean;

  constructor(code: string, retryable: boolean) {
    super(`the invitation was not accepted: ${code}`);
    this.name = "JoinRefused";
    this.code = code;
    this.retryable = retryable;
  }
}
