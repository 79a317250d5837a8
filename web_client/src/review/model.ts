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

/** What a recording is studied or copied for: asked each time, and audited. */
export const USES = ["care", "quality", "teaching"] as const;
export type Use = (typeof USES)[number];

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
  dimensions: [number, number] | null;
  pictures: number;
  packets: number;
  lost: number;
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
  name: string;
  track: string | null;
  value: number | string | null;
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
  /** The view that its opening opened, and how long that lasts. */
  view: string;
  view_seconds: number;
  use: Use;
  /** It is as it was signed, and nothing of it is missing. */
  verified: boolean;
}

export interface Chapter {
  seconds: number;
  kind: "start" | "bookmark" | "joined" | "left" | "withdrawn";
  /** A bookmark's own words; of others the role. */
  label: string;
}

/** Between two segments a picture may stand this long; longer is a gap (as exports have it). */
const SEAM_SECONDS = 0.5;

const USUAL_FRAME_SECONDS = 1 / 25;

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

/** From one picture of a track to the next, on average of the segment in which the moment lies. */
export function frameSeconds(track: Track | undefined, seconds: number): number {
  const segment = track === undefined ? null : segmentAt(track, seconds);
  return segment === null || segment.pictures === 0 ? USUAL_FRAME_SECONDS : segment.seconds / segment.pictures;
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

const CHAPTER_KINDS: Record<string, Chapter["kind"]> = { joined: "joined", left: "left", consent_withdrawn: "withdrawn" };

export function chaptersOf(detail: Detail): Chapter[] {
  const chapters: Chapter[] = [{ seconds: 0, kind: "start", label: "" }];
  for (const one of detail.bookmarks) chapters.push({ seconds: one.seconds, kind: "bookmark", label: one.label });
  for (const one of detail.events) {
    const kind = CHAPTER_KINDS[one.name];
    const label = typeof one.value === "string" ? one.value : "";
    if (kind !== undefined) chapters.push({ seconds: Math.max(0, one.seconds), kind, label });
  }
  return chapters.sort((a, b) => a.seconds - b.seconds);
}

/** How well a source arrived over one segment: what repair could not bring is in nobody's copy. */
export interface Reception {
  start: number;
  end: number;
  level: "good" | "fair" | "poor";
  lostShare: number;
  dimensions: [number, number] | null;
}

/** Loss from which a picture visibly suffers (05-clinical 2.5: picture 1 %, voice 3 %). */
const POOR_SHARE = { video: 0.01, audio: 0.03 };

export function receptionOf(track: Track): Reception[] {
  return track.segments.map((segment) => {
    const lostShare = segment.lost / Math.max(1, segment.packets + segment.lost);
    const level = lostShare >= POOR_SHARE[track.kind] ? "poor" : lostShare > 0.001 ? "fair" : "good";
    return { start: segment.start, end: segment.start + segment.seconds, level, lostShare, dimensions: segment.dimensions };
  });
}

/** `1:02:03`, or `1:02:03,4` with tenths in the page's own decimal mark. */
export function clockText(seconds: number, tenths = false, mark = ","): string {
  const whole = Math.floor(Math.max(0, tenths ? Math.round(seconds * 10) / 10 : seconds));
  const two = (n: number): string => String(n).padStart(2, "0");
  const text = `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  return tenths ? `${text}${mark}${Math.round(Math.max(0, seconds) * 10) % 10}` : text;
}

/** The recording and moment that a link's fragment names, or null. */
export function momentOf(fragment: string): { recording: string; seconds: number } | null {
  const found = /^#recording=([\w-]{1,64})(?:&t=(\d{1,7}(?:\.\d{1,3})?))?$/.exec(fragment);
  return found === null ? null : { recording: found[1] ?? "", seconds: Number(found[2] ?? 0) };
}

export function momentFragment(recording: string, seconds: number): string {
  return `#recording=${recording}&t=${Math.max(0, Math.round(seconds * 10) / 10)}`;
}
