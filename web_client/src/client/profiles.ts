/** How each type of source is captured and encoded: the clinical design's publish profiles as browser settings. */
import type { Kind, SourceType } from "./protocol";

export interface Profile {
  kind: Kind;
  /** What may be lost first: `motion` keeps the frame rate, `detail` keeps the resolution (text, calipers). */
  contentHint: "motion" | "detail" | "speech";
  degradation: "maintain-framerate" | "maintain-resolution" | "balanced";
  capture: MediaTrackConstraints;
  encodings: RTCRtpEncodingParameters[];
}

const kbit = (n: number): number => n * 1_000;

/** Lowest layer first, as RFC 8853 orders preference here and as the server numbers layers. */
function simulcast(low: number, middle: number, high: number, framerate: number): RTCRtpEncodingParameters[] {
  return [
    { rid: "l", scaleResolutionDownBy: 4, maxBitrate: kbit(low), maxFramerate: framerate },
    { rid: "m", scaleResolutionDownBy: 2, maxBitrate: kbit(middle), maxFramerate: framerate },
    { rid: "h", scaleResolutionDownBy: 1, maxBitrate: kbit(high), maxFramerate: framerate },
  ];
}

const size = (width: number, height: number, frameRate: number): MediaTrackConstraints => ({
  width: { ideal: width }, height: { ideal: height }, frameRate: { ideal: frameRate, max: 30 },
});

/** 180p/360p/720p at 150/500/1700 kbit/s: the ladder that the adaptation design measures against. */
const operating: Profile = {
  kind: "video", contentHint: "motion", degradation: "maintain-framerate",
  capture: size(1280, 720, 25), encodings: simulcast(150, 500, 1_700, 30),
};

/** Native size kept whatever the link: letters and calipers must stay legible; the frame rate gives way. */
const legible = (framerate: number, high: number): Profile => ({
  kind: "video", contentHint: "detail", degradation: "maintain-resolution",
  capture: size(1280, 720, framerate), encodings: [{ maxBitrate: kbit(high), maxFramerate: framerate }],
});

export const PROFILES: Record<SourceType, Profile> = {
  endoscope: operating,
  overhead: { ...operating, degradation: "balanced" },
  ultrasound: legible(25, 2_500),
  monitor: legible(10, 500),
  room: { ...operating, degradation: "balanced", capture: size(1280, 720, 15), encodings: simulcast(60, 120, 300, 15) },
  other: legible(15, 1_500),
  microphone: {
    kind: "audio", contentHint: "speech", degradation: "balanced",
    capture: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 },
    encodings: [{ maxBitrate: kbit(32) }],
  },
};

/** Picture types in the order in which a theatre is asked for them. */
export const PICTURE_TYPES: readonly SourceType[] = ["endoscope", "overhead", "ultrasound", "monitor", "room", "other"];

/** Best layers first when bits are short; a smaller picture never asks for more than it shows. */
export function layerForHeight(shownHeight: number, fullHeight: number, layers: readonly number[]): number | null {
  const top = layers.at(-1);
  if (layers.length < 2 || top === undefined || fullHeight <= 0) return null;
  // A picture shown up to a quarter larger than its layer still looks sharp; beyond that take the next one.
  const enough = layers.find((layer) => (fullHeight / 2 ** (top - layer)) * 1.25 >= shownHeight);
  return enough === undefined || enough === top ? null : enough;
}
