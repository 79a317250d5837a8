/** A level meter: shows that a microphone really hears, in a bar and in words. */
import { signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { words } from "../i18n";

const STEP_MS = 100;
/** Below this (of full scale, root mean square) a room is as silent as an unplugged microphone. */
const HEARD = 0.01;
/** Words change only after this long without sound, so that pauses in speech do not flicker. */
const QUIET_MS = 3_000;

let context: AudioContext | null = null;

/** One context for the page: browsers allow only a few. */
function audioContext(): AudioContext {
  context ??= new AudioContext();
  if (context.state === "suspended") void context.resume();
  return context;
}

export function Meter({ track, talkHint }: { track: MediaStreamTrack; talkHint?: boolean }) {
  const level = useMemo(() => signal(0), []);
  const heard = useMemo(() => signal(false), []);
  useEffect(() => measure(track, (value, quiet) => {
    level.value = value;
    heard.value = !quiet;
  }), [track]);
  const t = words.value;
  const percent = Math.round(Math.min(1, Math.sqrt(level.value) * 1.8) * 20) * 5;
  return (
    <div class="meter">
      <div class="meter-bar" role="meter" aria-label={t.lobby.level} aria-valuemin={0} aria-valuemax={100} aria-valuenow={percent}>
        <div class={heard.value ? "meter-fill heard" : "meter-fill"} style={{ width: `${percent}%` }} />
      </div>
      {talkHint && <p class="meter-word">{heard.value ? t.lobby.heard : t.lobby.noSignal}</p>}
    </div>
  );
}

function measure(track: MediaStreamTrack, told: (level: number, quiet: boolean) => void): () => void {
  const source = audioContext().createMediaStreamSource(new MediaStream([track]));
  const analyser = audioContext().createAnalyser();
  analyser.fftSize = 1_024;
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  let lastHeard = -Infinity;
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const level = Math.sqrt(samples.reduce((sum, s) => sum + s * s, 0) / samples.length);
    const now = performance.now();
    if (level > HEARD) lastHeard = now;
    told(level, now - lastHeard > QUIET_MS);
  }, STEP_MS);
  return () => {
    clearInterval(timer);
    source.disconnect();
  };
}
