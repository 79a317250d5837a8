/** Drawn here, not fetched: every icon stands beside a word and is hidden from screen readers. */
import type { SourceType } from "../client/protocol";

const PATHS = {
  endoscope: "M4 20c0-6 4-8 8-8s6-2 6-5M18 7a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5M2 20h6",
  overhead: "M12 2v4M5 11a7 5 0 0 1 14 0zM9 15l-2 6M15 15l2 6M12 15v6",
  ultrasound: "M12 3l9 16c-5 3-13 3-18 0zM8.5 11.5c2 1 5 1 7 0M6 16c4 1.6 8 1.6 12 0",
  monitor: "M3 4h18v13H3zM6 11h3l2-4 3 7 1.5-3H18M8 21h8",
  room: "M3 21V8l9-5 9 5v13M9 21v-7h6v7",
  microphone: "M12 3a3 3 0 0 0-3 3v6a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3M5 11a7 7 0 0 0 14 0M12 18v3",
  microphoneOff: "M9 9v3a3 3 0 0 0 5 2M15 11V6a3 3 0 0 0-6-.5M5 11a7 7 0 0 0 11 5.7M19 11v1M12 18v3M3 3l18 18",
  other: "M3 6h18v12H3zM8 21h8",
  screen: "M3 4h18v12H3zM8 21h8M12 16v5",
  camera: "M3 7h12v10H3zM15 11l6-4v10l-6-4z",
  cameraOff: "M7 7h8v8M3 7v10h12M15 11l6-4v10l-3-2M3 3l18 18",
  live: "M12 12m-5 0a5 5 0 1 0 10 0 5 5 0 1 0-10 0",
  late: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M12 7v5l3 3",
  frozen: "M12 2v20M3.5 7l17 10M20.5 7l-17 10",
  pause: "M8 5v14M16 5v14",
  play: "M7 4l13 8-13 8z",
  stop: "M6 6h12v12H6z",
  record: "M12 6a6 6 0 1 0 0 12a6 6 0 0 0 0-12z",
  plus: "M12 5v14M5 12h14",
  close: "M5 5l14 14M19 5L5 19",
  pin: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  unpin: "M9 4v5H4M15 4v5h5M9 20v-5H4M15 20v-5h5",
  full: "M3 3h7M3 3v7M21 21h-7M21 21v-7M3 3l7 7M21 21l-7-7",
  hide: "M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12M3 3l18 18",
  show: "M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6",
  chat: "M3 4h18v13H9l-5 4v-4H3z",
  people: "M9 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8M2 21c0-4 3-6 7-6s7 2 7 6M17 5a3 3 0 0 1 0 6M18 15c3 .5 4 3 4 6",
  person: "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8M4 21c0-4 3-6 8-6s8 2 8 6",
  leave: "M10 4H4v16h6M14 8l5 4-5 4M19 12H9",
  keyboard: "M2 6h20v12H2zM6 10h.5M10 10h.5M14 10h.5M18 10h.5M7 14h10",
  speaker: "M4 9v6h4l5 4V5L8 9zM16 9a4 4 0 0 1 0 6M19 6a8 8 0 0 1 0 12",
  speakerOff: "M4 9v6h4l5 4V5L8 9zM17 9l5 6M22 9l-5 6",
  warning: "M12 3L2 20h20zM12 10v4M12 17v.5",
  retry: "M20 12a8 8 0 1 1-2.5-5.8M20 3v5h-5",
  check: "M4 12l5 6L20 6",
  flag: "M5 21V4M5 4h13l-3 4 3 4H5",
  link: "M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1",
  back: "M11 5l-7 7 7 7M20 5l-7 7 7 7",
  on: "M13 5l7 7-7 7M4 5l7 7-7 7",
  frameBack: "M6 5v14M18 5l-8 7 8 7",
  frameOn: "M18 5v14M6 5l8 7-8 7",
} as const;

export type IconName = keyof typeof PATHS;

const FILLED: ReadonlySet<IconName> = new Set(["live", "stop", "play", "record"]);

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class={FILLED.has(name) ? "icon filled" : "icon"} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}

export const iconOf = (type: SourceType): IconName => type;
