/** What each viewer got, as the server tells it, and pure questions about it. Times in seconds on the recording's axis. */
import type { Role } from "../client/protocol";

export type Level = "full" | "reduced" | "stills" | "sound" | "frozen" | "nothing" | "away";
export type Reason = "link" | "priority" | "measuring" | "loss" | "freeze" | "hidden" | "muted" | "no_signal" | "disconnected";

export interface Run {
  start: number;
  end: number;
  level: Level;
  reason: Reason | null;
}

export interface Viewer {
  participant: string;
  role: Role;
  runs: Run[];
}

export interface Received {
  viewers: Viewer[];
  known_from: number | null;
  complete: boolean;
}

export interface Named {
  viewer: Viewer;
  /** Among those of the same role in order of arrival; null for the only one. */
  number: number | null;
}

/** Nobody's name is known here: roles, numbered where there are several. */
export function numbered(viewers: Viewer[]): Named[] {
  const all = new Map<Role, number>();
  for (const { role } of viewers) all.set(role, (all.get(role) ?? 0) + 1);
  const met = new Map<Role, number>();
  return viewers.map((viewer) => {
    const nth = (met.get(viewer.role) ?? 0) + 1;
    met.set(viewer.role, nth);
    return { viewer, number: all.get(viewer.role) === 1 ? null : nth };
  });
}

export function runAt(runs: Run[], seconds: number): Run | null {
  return runs.find((run) => run.start <= seconds && seconds < run.end) ?? null;
}

/** Where a viewer's next change is, or the one before; null at either end. */
export function changeFrom(runs: Run[], seconds: number, direction: 1 | -1): number | null {
  const changes = [...new Set(runs.flatMap((run) => [run.start, run.end]))].sort((a, b) => a - b);
  const found = direction > 0 ? changes.find((at) => at > seconds + 0.05) : changes.reverse().find((at) => at < seconds - 0.05);
  return found ?? null;
}
