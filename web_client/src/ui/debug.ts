/**
 * `window.loupe`: a read-only look inside for the browser tests and for support. It changes nothing and holds no token.
 *
 *   phase()    where the session stands ("joined", "reconnecting", ...)
 *   room()     the room as plain JSON: participants, publications
 *   videos()   per shown publication: id, label, width, height, frames rendered, freshness, age in ms
 *   sending()  per source sent: label, type, publication id, muted
 *   quality()  how the server serves this page, and who in the room sees less than they should
 *   stats()    getStats of both transports as arrays of plain entries
 */
import type { Freshness } from "../client/freshness";
import type { Session } from "../client/session";

interface Watched {
  publication: string;
  label: string;
  element: HTMLVideoElement;
  frames: () => number;
  state: () => Freshness;
}

const shown = new Set<Watched>();

/** Adds one picture to `videos()`; the answer takes it away again. */
export function watched(entry: Watched): () => void {
  shown.add(entry);
  return () => void shown.delete(entry);
}

export function exposeDebug(session: Session): void {
  const stats = async (pc: RTCPeerConnection | undefined): Promise<unknown[]> =>
    pc === undefined ? [] : Array.from((await pc.getStats()).values() as Iterable<unknown>);
  const hook = {
    phase: () => session.phase.value.kind,
    room: () => ({
      id: session.room.value.id,
      participants: [...session.room.value.participants.values()],
      publications: [...session.room.value.publications.values()],
    }),
    videos: () => [...shown].map((entry) => {
      const state = entry.state();
      return {
        publication: entry.publication, label: entry.label, width: entry.element.videoWidth,
        height: entry.element.videoHeight, frames: entry.frames(), state: state.kind,
        ageMs: "ageMs" in state ? state.ageMs : null,
      };
    }),
    sending: () => session.sending.value.map((s) => ({
      label: s.label, sourceType: s.sourceType, publication: s.publication.value, muted: s.muted.value,
    })),
    quality: () => ({ own: session.room.value.quality, standings: [...session.room.value.standings.values()] }),
    stats: async () => ({
      publish: await stats(session.publishing.value?.pc), subscribe: await stats(session.subscribing.value?.pc),
    }),
  };
  Object.defineProperty(window, "loupe", { value: Object.freeze(hook), configurable: true });
}
