/** What the server tells of a recording, and pure questions about it. All times in seconds on the recording's axis. */
import type { SourceType } from "../client/protocol";

export interface Entry {
  id: string;
  room: string;
  state: string;
  started_ms: number;
  seconds: number | null;
  title: string;
  reference: string;
  staff: string[];
}

export interface Gap {
  start: number;
  end: number;
  reason: string;
}

export interface Segment {
  number: number;
  start: number;
  seconds: number;
  media_type: string;
  size: number;
  gaps: Gap[];
}

export interface Track {
  id: string;
  kind: "audio" | "video";
  source_type: SourceType;
  label: string;
  segments: Segment[];
}

export interface Happening {
  seconds: number;
  kind: string;
  subject: string;
  details: Record<string, unknown>;
}

export interface Bookmark {
  id: string;
  seconds: number;
  label: string;
  live: boolean;
}

export interface Detail {
  entry: Entry;
  seconds: number;
  tracks: Track[];
  events: Happening[];
  bookmarks: Bookmark[];
  rights: string[];
  view_seconds: number;
}

export interface Chapter {
  seconds: number;
  kind: "start" | "bookmark" | "joined" | "left" | "paused" | "resumed" | "withdrawn";
  label: string;
}

/** Between two segments a picture may stand this long; longer is a gap (as exports have it). */
const SEAM_SECONDS = 0.5;

/** The segment that is to be seen at a moment: the last that has begun, unless it ended longer ago than a seam. */
export function segmentAt(track: Track, seconds: number): Segment | null {
  let low = 0;
  let high = track.segments.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((track.segments[middle]?.start ?? Infinity) <= seconds) low = middle + 1;
    else high = middle;
  }
  const found = track.segments[low - 1];
  if (found === undefined || seconds >= found.start + found.seconds + SEAM_SECONDS) return null;
  return found;
}

export function segmentAfter(track: Track, segment: Segment): Segment | null {
  return track.segments.find((one) => one.start > segment.start) ?? null;
}

/** The gap that a moment lies in, or null while there is a picture (or sound). */
export function gapAt(track: Track, seconds: number): Gap | null {
  return gapsOf(track, Infinity).find((gap) => gap.start <= seconds && seconds < gap.end) ?? null;
}

/** Every gap of a track in order: those its segments mark, and the spaces before, between and after them. */
export function gapsOf(track: Track, end: number): Gap[] {
  const gaps: Gap[] = [];
  let until = 0;
  for (const segment of track.segments) {
    const seam = until === 0 ? 0.05 : SEAM_SECONDS;
    if (segment.start - until > seam) {
      const marked = segment.gaps.find((gap) => gap.end <= segment.start + seam && gap.start <= until + seam);
      gaps.push(marked ?? { start: until, end: segment.start, reason: "not_recorded" });
    }
    gaps.push(...segment.gaps.filter((gap) => gap.end > segment.start + SEAM_SECONDS));
    until = Math.max(until, segment.start + segment.seconds);
  }
  if (end - until > SEAM_SECONDS) gaps.push({ start: until, end, reason: "not_recorded" });
  return gaps;
}

const CHAPTER_KINDS: Record<string, Chapter["kind"]> = {
  participant_joined: "joined", joined: "joined", participant_left: "left", left: "left", paused: "paused", resumed: "resumed",
  consent_withdrawn: "withdrawn", withdrawn: "withdrawn",
};

export function chaptersOf(detail: Detail): Chapter[] {
  const chapters: Chapter[] = [{ seconds: 0, kind: "start", label: "" }];
  for (const one of detail.bookmarks) chapters.push({ seconds: one.seconds, kind: "bookmark", label: one.label });
  for (const one of detail.events) {
    const kind = CHAPTER_KINDS[one.kind];
    if (kind !== undefined) chapters.push({ seconds: Math.max(0, one.seconds), kind, label: roleOf(one) });
  }
  return chapters.sort((a, b) => a.seconds - b.seconds);
}

function roleOf(one: Happening): string {
  return typeof one.details.role === "string" ? one.details.role : "";
}

/** What one viewer got of one source: spans of one layer, ended by the next word about the same subscription. */
export interface QualitySpan {
  start: number;
  end: number;
  /** null: nothing was sent. */
  layer: number | null;
}

export interface QualityRow {
  viewer: string;
  track: string;
  spans: QualitySpan[];
}

export function qualityOf(detail: Detail): QualityRow[] {
  const rows = new Map<string, QualityRow>();
  for (const one of detail.events) {
    if (one.kind !== "layer") continue;
    const viewer = typeof one.details.viewer === "string" ? one.details.viewer : one.subject;
    const track = typeof one.details.track === "string" ? one.details.track : "";
    const layer = typeof one.details.layer === "number" ? one.details.layer : null;
    const key = `${viewer}/${track}`;
    const row = rows.get(key) ?? { viewer, track, spans: [] };
    const last = row.spans.at(-1);
    if (last !== undefined) last.end = one.seconds;
    row.spans.push({ start: one.seconds, end: detail.seconds, layer });
    rows.set(key, row);
  }
  return [...rows.values()];
}

/** `1:02:03`, or `1:02:03,4` with tenths in the page's own decimal mark. */
export function clockText(seconds: number, tenths = false, mark = ","): string {
  const whole = Math.floor(Math.max(0, tenths ? Math.round(seconds * 10) / 10 : seconds));
  const two = (n: number): string => String(n).padStart(2, "0");
  const text = `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  return tenths ? `${text}${mark}${Math.round(Math.max(0, seconds) * 10) % 10}` : text;
}

/** The moment a link leads to: `#t=75.5` in the page's own fragment, or null. */
export function momentOf(fragment: string): { recording: string; seconds: number } | null {
  const found = /^#recording=([\w-]{1,64})(?:&t=(\d{1,7}(?:\.\d{1,3})?))?$/.exec(fragment);
  return found === null ? null : { recording: found[1] ?? "", seconds: Number(found[2] ?? 0) };
}

export function momentFragment(recording: string, seconds: number): string {
  return `#recording=${recording}&t=${Math.max(0, Math.round(seconds * 10) / 10)}`;
}
