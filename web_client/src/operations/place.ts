/** Which part of the page is open, in the address: so that "back" works, and a colleague can be sent there. */
import { signal } from "@preact/signals";

export interface Selected {
  room: string | null;
  participant: string | null;
  publication: string | null;
  /** Unix milliseconds: what was, from then on, is looked at and not what is; of no room: the list of that day. */
  past: number | null;
}

const NOTHING: Selected = { room: null, participant: null, publication: null, past: null };
const LATEST_MS = 8.64e15;

export function selectedOf(search: string): Selected {
  const query = new URLSearchParams(search);
  const room = query.get("room");
  const participant = room === null ? null : query.get("participant");
  const past = query.get("past");
  const known = past !== null && /^\d{1,16}$/.test(past) && Number(past) <= LATEST_MS;
  return {
    room, participant, publication: participant === null ? null : query.get("track"), past: known ? Number(past) : null,
  };
}

export function searchOf({ room, participant, publication, past }: Selected): string {
  const query = new URLSearchParams();
  if (room !== null) query.set("room", room);
  if (participant !== null) query.set("participant", participant);
  if (publication !== null) query.set("track", publication);
  if (past !== null) query.set("past", String(past));
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}

export const selected = signal<Selected>(NOTHING);

export function select(next: Partial<Selected>): void {
  selected.value = { ...NOTHING, ...next };
  history.pushState(null, "", location.pathname + searchOf(selected.value));
}

export function followAddress(): void {
  const read = (): void => {
    selected.value = selectedOf(location.search);
  };
  window.addEventListener("popstate", read);
  read();
}
