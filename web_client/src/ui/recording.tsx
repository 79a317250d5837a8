/** Whether the room is being recorded: shown to everyone, red and timed; started and stopped by those who may. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { elapsed } from "../client/elapsed";
import { RequestRefused } from "../client/errors";
import type { Session } from "../client/session";
import { words } from "../i18n";
import { Icon } from "./icons";
import { Button } from "./parts";

const TICK_MS = 1_000;
const fault = signal<string | null>(null);
const nowMs = signal(Date.now());

export function RecordingMark({ session }: { session: Session }) {
  const recording = session.room.value.recording;
  useEffect(() => {
    const timer = setInterval(() => (nowMs.value = Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  const t = words.value.recording;
  return (
    <p class="recording" role="status" data-recording={recording !== null}>
      {recording !== null && (
        <>
          <span class="recording-dot"><Icon name="record" /></span> {t.on}{" "}
          <span role="timer" aria-live="off">{elapsed(recording.since_ms, nowMs.value + session.serverAheadMs)}</span>
        </>
      )}
    </p>
  );
}

/** To those who may record: that the disk is nearly full, or that nothing is being recorded. */
export function RecordingWarning({ session }: { session: Session }) {
  const t = words.value.recording;
  const recording = session.room.value.recording;
  const left = recording?.minutes_left ?? null;
  const failing = recording?.failing === true;
  if (!session.may("record") || recording === null || (left === null && !failing)) return null;
  return (
    <p class="link-sentence" role="alert" data-step={failing ? "silent" : "reduced"} data-warning={failing ? "failing" : "disk"}>
      <Icon name="warning" /> {failing ? t.failing : t.diskLow(left ?? 0)}
    </p>
  );
}

/** To those who may record: that a recording ended though nobody ended it, and what to press. */
export function RecordingInterrupted({ session }: { session: Session }) {
  const t = words.value.recording;
  const { recording, interruption } = session.room.value;
  if (!session.may("record") || recording !== null || interruption === null) return null;
  return (
    <div class="link-sentence" role="alert" data-step="silent" data-warning="interrupted">
      <p><Icon name="warning" /> {t.interrupted}</p>
      <div class="actions">
        <button type="button" class="button main" onClick={() => void act(() => session.startRecording(interruption.procedure))}>
          <Icon name="record" /> {t.goOn}
        </button>
        <button type="button" class="button" onClick={() => void act(() => session.stopRecording())}>{t.leaveOff}</button>
      </div>
      <Fault />
    </div>
  );
}

async function act(work: () => Promise<void>): Promise<void> {
  try {
    await work();
    fault.value = null;
  } catch (error) {
    fault.value = error instanceof RequestRefused ? error.code : "other";
  }
}

function Fault() {
  const t = words.value.recording;
  return fault.value === null ? null : <p class="fault" role="alert">{t.faults[fault.value] ?? t.faults.other}</p>;
}

interface Props {
  session: Session;
  /** The room's open procedure; null while there is none. */
  procedure: string | null;
  /** Why nothing may be recorded, in words; null when it may. */
  blocked: string | null;
}

export function RecordingButton({ session, procedure, blocked }: Props) {
  const t = words.value.recording;
  if (!session.may("record")) return null;
  const running = session.room.value.recording !== null;
  return (
    <div class="recording-control">
      {running
        ? <Button icon="stop" tone="danger" word={t.stop} onPress={() => void act(() => session.stopRecording())} />
        : (
          <button
            type="button" class="button main" disabled={blocked !== null || procedure === null} title={blocked ?? undefined}
            onClick={() => void act(() => session.startRecording(procedure ?? ""))}
          >
            <Icon name="record" /> {t.start}
          </button>
        )}
      <Fault />
    </div>
  );
}
