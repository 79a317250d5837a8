/** How old what the board shows is, by the server's clock and this page's steady one: a wrong clock here changes nothing. */
import type { Board } from "./model.generated";

/** A board as it came. `receivedMs` is `performance.now()`. */
export interface Received {
  board: Board;
  receivedMs: number;
}

/** Seconds since the samples were taken; null before there are any. It grows while nothing new comes. */
export function ageSeconds(received: Received | null, nowMs: number): number | null {
  if (received === null) return null;
  const { at_ms, sampled_at_ms } = received.board;
  return sampled_at_ms === null ? null : Math.max(0, at_ms - sampled_at_ms + (nowMs - received.receivedMs)) / 1_000;
}

/** The server's clock now, Unix milliseconds. */
export function serverNowMs({ board, receivedMs }: Received, nowMs: number): number {
  return board.at_ms + (nowMs - receivedMs);
}

export function isStale(received: Received | null, nowMs: number): boolean {
  if (received === null) return false;
  const age = ageSeconds(received, nowMs);
  // A server that takes no samples is as silent as one that cannot be reached.
  const silent = age ?? (nowMs - received.receivedMs) / 1_000;
  return silent > received.board.stale_after_seconds;
}
