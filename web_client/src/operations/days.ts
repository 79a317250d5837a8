/** Days as people of this place have them, and what is looked at of one. Pure. */
import type { Span } from "./api";
import type { RoomSpan, Sample } from "./model.generated";

/** From midnight to midnight; a day of the change to summer time has 23 hours. */
export function dayOf(atMs: number): Span {
  const from = new Date(atMs);
  from.setHours(0, 0, 0, 0);
  const to = new Date(from);
  to.setDate(to.getDate() + 1);
  return { fromMs: from.getTime(), toMs: to.getTime() };
}

/** As a date field has it: YYYY-MM-DD. */
export function dayText(atMs: number): string {
  const day = new Date(atMs);
  return `${String(day.getFullYear())}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;
}

/** When the day of a date field begins; null where the field holds none. */
export function midnight(text: string): number | null {
  const begins = new Date(`${text}T00:00:00`).getTime();
  return Number.isNaN(begins) ? null : begins;
}

/** As a time field has it: HH:MM:SS. */
export function timeText(atMs: number): string {
  const time = new Date(atMs);
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}

/** The moment of a time field on the day of another moment; null where the field holds none. */
export function momentOf(text: string, sameDayMs: number): number | null {
  const parts = /^(\d\d):(\d\d)(?::(\d\d))?$/.exec(text);
  if (parts === null) return null;
  return new Date(sameDayMs).setHours(Number(parts[1]), Number(parts[2]), Number(parts[3] ?? 0), 0);
}

/** A name that no key of the server opens begins so: it tells nobody anything. */
export const SEALED = "~";

/** Rooms whose name can be read and has the text, in whatever case. */
export function found(spans: readonly RoomSpan[], text: string): readonly RoomSpan[] {
  const asked = text.trim().toLowerCase();
  return spans.filter((span) => !span.room.startsWith(SEALED) && span.room.toLowerCase().includes(asked));
}

/** Each span once, newest first, by its name where one of the answers knows it. */
export function named(spans: readonly RoomSpan[]): RoomSpan[] {
  const known = new Map<number, RoomSpan>();
  for (const span of spans) {
    if (known.get(span.span)?.room.startsWith(SEALED) ?? true) known.set(span.span, span);
  }
  return [...known.values()].sort((a, b) => b.opened_ms - a.opened_ms);
}

/** Longer than this after a sample nothing is known. */
const HELD_MS = 15_000;

/** What was true of somebody at a moment: their last sample before it, if it is not too old. */
export function sampleAt(samples: readonly Sample[], atMs: number): Sample | null {
  const last = samples.filter((sample) => sample.at_ms <= atMs).at(-1);
  return last !== undefined && atMs - last.at_ms <= HELD_MS ? last : null;
}

function two(number: number): string {
  return String(number).padStart(2, "0");
}
