/**
 * The invitation: what a link carries in its fragment (never sent to a server by the browser, never in a log), and its
 * exchange for a short-lived join token.
 */
import { JoinRefused, refusalCode } from "./errors";
import type { Role } from "./protocol";

export const JOIN_PATH = "/api/v1/join";
const STORAGE_PREFIX = "loupe.invitation.";

/** What a patient may still agree to: the same link works then. */
const AWAITED: ReadonlySet<string> = new Set(["outside_viewers_not_consented", "teaching_not_consented"]);

/** What `POST /api/v1/join` answers. */
export interface Admission {
  token: string;
  room: string;
  role: Role;
  name?: string;
}

/** The parts of the browser this file touches, so that tests can give their own. */
export interface Place {
  location: { pathname: string; search: string; hash: string };
  history: { replaceState(data: unknown, unused: string, url: string): void };
  storage: Pick<Storage, "getItem" | "setItem" | "removeItem">;
}

/** The room named by a path such as `/theatre/7QK2`; empty on the start page. */
export function roomOfPath(pathname: string): string {
  const part = pathname.split("/")[2] ?? "";
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Takes the invitation out of the address bar into this tab's storage; else what the tab already holds. */
export function takeInvitation(place: Place): string | null {
  const key = STORAGE_PREFIX + roomOfPath(place.location.pathname);
  const fragment = place.location.hash.replace(/^#/, "");
  if (fragment !== "") {
    place.storage.setItem(key, fragment);
    place.history.replaceState(null, "", place.location.pathname + place.location.search);
    return fragment;
  }
  return place.storage.getItem(key);
}

export function keepInvitation(place: Place, invitation: string): void {
  place.storage.setItem(STORAGE_PREFIX + roomOfPath(place.location.pathname), invitation);
}

export function forgetInvitation(place: Place): void {
  place.storage.removeItem(STORAGE_PREFIX + roomOfPath(place.location.pathname));
}

/** What a person pasted: a whole link, or only its code. Empty when there is nothing usable. */
export function invitationOfText(text: string): string {
  const trimmed = text.trim();
  const hash = trimmed.indexOf("#");
  return (hash >= 0 ? trimmed.slice(hash + 1) : trimmed).replace(/\s+/g, "");
}

/**
 * Exchanges an invitation for a join token. Raises `JoinRefused`: `network` when no answer came, else the server's
 * `code` when it names one, else the HTTP status.
 */
export async function exchange(invitation: string, fetcher: typeof fetch = fetch): Promise<Admission> {
  let answer: Response;
  try {
    answer = await fetcher(JOIN_PATH, {
      method: "POST",
      headers: { authorization: `Bearer ${invitation}`, "content-type": "application/json" },
      body: "{}",
      cache: "no-store",
      credentials: "omit",
      signal: AbortSignal.timeout(10_000),
    });
  } catch {
    throw new JoinRefused("network", true);
  }
  if (!answer.ok) {
    const code = await codeOf(answer);
    throw new JoinRefused(code, answer.status >= 500 || answer.status === 429 || AWAITED.has(code));
  }
  try {
    return (await answer.json()) as Admission;
  } catch {
    throw new JoinRefused("network", true);
  }
}

/** The code of a refusal to whoever comes with an invitation, or with what came of it. */
export async function codeOf(answer: Response): Promise<string> {
  return answer.status === 401 ? "invitation_invalid" : refusalCode(answer);
}
