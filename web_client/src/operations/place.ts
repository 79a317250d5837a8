/** Which part of the page is open, in the address: so that "back" works, and a colleague can be sent there. */
import { signal } from "@preact/signals";

export interface Selected {
  room: string | null;
  participant: string | null;
  publication: string | null;
}

export function selectedOf(search: string): Selected {
  const query = new URLSearchParams(search);
  const room = query.get("room");
  const participant = room === null ? null : query.get("participant");
  return { room, participant, publication: participant === null ? null : query.get("track") };
}

export function searchOf({ room, participant, publication }: Selected): string {
  const query = new URLSearchParams();
  if (room !== null) query.set("room", room);
  if (participant !== null) query.set("participant", participant);
  if (publication !== null) query.set("track", publication);
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}

export const selected = signal<Selected>({ room: null, participant: null, publication: null });

export function select(next: Partial<Selected>): void {
  selected.value = { room: null, participant: null, publication: null, ...next };
  history.pushState(null, "", location.pathname + searchOf(selected.value));
}

export function followAddress(): void {
  const read = (): void => {
    selected.value = selectedOf(location.search);
  };
  window.addEventListener("popstate", read);
  read();
}
