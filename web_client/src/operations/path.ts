/** The path of the pictures through one room: who sends, the server, who watches, and how each leg is. */
import type { LegSample, RoomDetail } from "./model.generated";

export type LegState = "good" | "watch" | "hurt" | "down";

export interface Leg {
  participant: string;
  role: RoomDetail["participants"][number]["role"];
  state: LegState;
  rttSeconds: number | null;
  lossRatio: number | null;
  bitsPerSecond: number;
  relayed: boolean;
}

export interface Path {
  senders: Leg[];
  watchers: Leg[];
}

/** Surgeon first, then who advises, then who looks on. */
const ORDER = ["surgeon", "staff", "specialist", "moderator", "observer", "operator"];

export function pathOf({ participants }: RoomDetail): Path {
  const senders: Leg[] = [];
  const watchers: Leg[] = [];
  for (const { id, role, sample, findings } of participants) {
    const worst = findings.some((f) => f.severity === "hurt") ? "hurt" : findings.length > 0 ? "watch" : "good";
    const leg = (found: LegSample): Leg => ({
      participant: id, role, state: found.phase === "connected" ? worst : "down",
      rttSeconds: found.round_trip_seconds ?? null, lossRatio: found.loss_before_ratio ?? null,
      bitsPerSecond: found.bits_per_second ?? 0, relayed: found.relayed ?? false,
    });
    if (sample?.up && (sample.sources?.length ?? 0) > 0) senders.push(leg(sample.up));
    if (sample?.down && (sample.views?.length ?? 0) > 0) watchers.push(leg(sample.down));
  }
  const rank = (a: Leg, b: Leg): number =>
    SEVERITY.indexOf(a.state) - SEVERITY.indexOf(b.state) || ORDER.indexOf(a.role) - ORDER.indexOf(b.role);
  return { senders: senders.sort(rank), watchers: watchers.sort(rank) };
}

/** Worst first, as on the board. */
const SEVERITY: readonly LegState[] = ["down", "hurt", "watch", "good"];
