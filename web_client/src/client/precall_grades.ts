/** What was measured before a call, as a traffic light: for each thing, and for what this person is going to do. */
import type { Role } from "./protocol";

export interface Measured {
  /** Round trip of a WebSocket ping; null: no connection. */
  websocketMs: number | null;
  /** How media reach the server; null: they do not. */
  path: "direct" | "relay" | null;
  upKbit: number | null;
  downKbit: number | null;
  /** Of the packets sent or expected, 0..1. */
  upLoss: number | null;
  downLoss: number | null;
  rttMs: number | null;
  /** All that was forwarded arrived: the way down may carry more than was tried. */
  downUntried: boolean;
  /** This device could not encode the test picture as fast as the link would take it. */
  cpuShort: boolean;
}

export type Grade = "good" | "fair" | "poor" | "unknown";
export type Item = "websocket" | "udp" | "up" | "down" | "loss" | "rtt" | "device";

export interface Finding {
  item: Item;
  grade: Grade;
  /** In the item's own unit (ms, kbit/s, 0..1); null where there is no number. */
  value: number | null;
}

export interface Report {
  grade: Grade;
  findings: readonly Finding[];
}

/** From `good` upwards all is well; below `fair` it does not serve. kbit/s. */
interface Need {
  good: number;
  fair: number;
}

/**
 * A theatre sends an endoscope's ladder (150 + 500 + 1,700 kbit/s; the two lower alone still guide), a specialist a
 * face and a voice. To watch wants the upper layer, and works from 300 kbit/s on (clinical design, consult).
 */
const SENDS: Need = { good: 1_700, fair: 600 };
const TALKS: Need = { good: 300, fair: 60 };
const WATCHES: Need = { good: 1_200, fair: 300 };
const HEARS: Need = { good: 300, fair: 60 };

const NEEDS: Record<Role, { up: Need | null; down: Need }> = {
  surgeon: { up: SENDS, down: HEARS }, staff: { up: SENDS, down: HEARS },
  specialist: { up: TALKS, down: WATCHES }, moderator: { up: TALKS, down: WATCHES },
  observer: { up: null, down: WATCHES }, operator: { up: null, down: WATCHES },
  auditor: { up: null, down: WATCHES },
};

/** Voice through the server crosses two such ways; 200 and 400 ms mouth to ear are its limits (clinical design 2.1). */
const RTT: Need = { good: 150, fair: 400 };
/** Picture 1 % after repair, voice with FEC up to 5 % (clinical design 2.5). */
const LOSS: Need = { good: 0.01, fair: 0.05 };
const WEBSOCKET: Need = { good: 500, fair: 2_000 };

const ORDER: readonly Grade[] = ["good", "unknown", "fair", "poor"];

const atLeast = (value: number | null, need: Need): Grade =>
  value === null ? "unknown" : value >= need.good ? "good" : value >= need.fair ? "fair" : "poor";
const atMost = (value: number | null, need: Need): Grade =>
  value === null ? "unknown" : value <= need.good ? "good" : value <= need.fair ? "fair" : "poor";

/** What arrived whole proves a good way down only if it was enough; less proves nothing against it. */
function ofDownload({ downKbit, downUntried }: Measured, need: Need): Grade {
  const found = atLeast(downKbit, need);
  return downUntried && found !== "good" ? "unknown" : found;
}

/** Every finding, in the order in which one thing needs the other, and the worst of those this role depends on. */
export function grade(measured: Measured, role: Role): Report {
  const { websocketMs, path } = measured;
  const needs = NEEDS[role];
  const findings: Finding[] = [
    { item: "websocket", grade: websocketMs === null ? "poor" : atMost(websocketMs, WEBSOCKET), value: websocketMs },
  ];
  if (websocketMs !== null) {
    findings.push({ item: "udp", grade: path === null ? "poor" : path === "relay" ? "fair" : "good", value: null });
  }
  if (path !== null) {
    const losses = [measured.downLoss, needs.up === null ? null : measured.upLoss].filter((l) => l !== null);
    const loss = losses.length === 0 ? null : Math.max(...losses);
    if (needs.up !== null) findings.push({ item: "up", grade: atLeast(measured.upKbit, needs.up), value: measured.upKbit });
    findings.push(
      { item: "down", grade: ofDownload(measured, needs.down), value: measured.downKbit },
      { item: "loss", grade: atMost(loss, LOSS), value: loss },
      { item: "rtt", grade: atMost(measured.rttMs, RTT), value: measured.rttMs },
    );
    if (measured.cpuShort && needs.up === SENDS) findings.push({ item: "device", grade: "fair", value: null });
  }
  const worst = Math.max(...findings.map((f) => ORDER.indexOf(f.grade)));
  const found = ORDER[worst] ?? "unknown";
  // What nobody could measure is no reason for a green light.
  return { grade: found === "unknown" ? "fair" : found, findings };
}
