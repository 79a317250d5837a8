/** One source of the theatre: what it shows, what it is called, and whether the room gets it. */
import { PICTURE_TYPES } from "../client/profiles";
import type { SourceType } from "../client/protocol";
import type { Sending } from "../client/publish";
import type { Session } from "../client/session";
import { words } from "../i18n";
import { Icon, iconOf } from "../ui/icons";
import { Meter } from "../ui/meter";
import { Button } from "../ui/parts";
import { DeviceFaultCard, DeviceSelect, Preview } from "../ui/picker";
import { add, isSound, labelOf, remove, retype, sources, start, stop } from "./sources";
import type { TheatreSource } from "./sources";

export function SourceCard({ source, session }: { source: TheatreSource; session?: Session }) {
  const t = words.value;
  const sound = isSound(source);
  const doing = source.doing.value;
  const track = source.capture.track;
  const state = doing.kind === "sending" ? sendingState(doing.sending, session) : doing.kind;
  return (
    <article class="card source" data-state={state} data-type={source.type.value}>
      <header>
        <h3><Icon name={iconOf(source.type.value)} /> {labelOf(source)}</h3>
        <SourceState source={source} session={session} />
      </header>
      {!sound && <Preview track={track} label={labelOf(source)} />}
      {sound && track && <Meter track={track} talkHint={doing.kind === "prepared"} />}
      <DeviceFaultCard capture={source.capture} />
      {doing.kind === "ended" && <p class="fault" role="alert">{t.theatre.ended}</p>}
      {doing.kind === "failed" && <p class="fault" role="alert">{t.theatre.failed}</p>}
      {doing.kind === "sending" ? <Measured sending={doing.sending} session={session} /> : <Choices source={source} />}
      <Actions source={source} session={session} />
    </article>
  );
}

function sendingState(sending: Sending, session: Session | undefined): "sending" | "muted" | "connecting" {
  if (sending.muted.value) return "muted";
  const ice = session?.publishing.value?.state.value;
  const arrives = sending.publication.value !== null && (ice === "connected" || ice === "completed");
  return arrives && session?.phase.value.kind === "joined" ? "sending" : "connecting";
}

function SourceState({ source, session }: { source: TheatreSource; session?: Session }) {
  const t = words.value.theatre;
  const doing = source.doing.value;
  if (doing.kind === "starting") return <span class="badge">{t.starting}</span>;
  if (doing.kind !== "sending") return session ? <span class="badge">{t.notSending}</span> : null;
  switch (sendingState(doing.sending, session)) {
    case "muted":
      return <span class="badge late"><Icon name="pause" /> {isSound(source) ? t.soundMuted : t.mutedNow}</span>;
    case "connecting":
      return <span class="badge late"><span class="spinner" /> {t.connecting}</span>;
    case "sending":
      return <span class="badge sending"><Icon name="live" /> {t.sendingNow}</span>;
  }
}

function Measured({ sending, session }: { sending: Sending; session?: Session }) {
  const sample = session?.sent.value.get(sending.key);
  return (
    <p class="measured">
      {sample ? words.value.theatre.measured(sample.width, sample.height, sample.framesPerSecond, sample.kbitPerSecond) : " "}
    </p>
  );
}

function Choices({ source }: { source: TheatreSource }) {
  const t = words.value;
  return (
    <div class="choices">
      {!isSound(source) && (
        <label class="field">
          <span>{t.theatre.type}</span>
          <select value={source.type.value} onChange={(e) => retype(source, e.currentTarget.value as SourceType)}>
            {PICTURE_TYPES.map((type) => <option key={type} value={type}>{t.sourceTypes[type]}</option>)}
          </select>
        </label>
      )}
      {!source.capture.screen && <DeviceSelect capture={source.capture} kind={isSound(source) ? "audio" : "video"} />}
      {!isSound(source) && (
        <label class="field">
          <span>{t.theatre.label}</span>
          <input
            value={source.label.value} maxLength={64} placeholder={labelOf(source)}
            onInput={(e) => (source.label.value = e.currentTarget.value)}
          />
        </label>
      )}
    </div>
  );
}

function Actions({ source, session }: { source: TheatreSource; session?: Session }) {
  const t = words.value.theatre;
  const doing = source.doing.value;
  const sound = isSound(source);
  if (doing.kind === "sending" && session) {
    const muted = doing.sending.muted.value;
    const toggle = (): void => void session.mute(doing.sending, !muted).catch(() => undefined);
    const off = sound ? t.muteSound : t.mute;
    const on = sound ? t.unmuteSound : t.unmute;
    return (
      <div class="actions">
        <Button icon={muted ? (sound ? "microphone" : "play") : sound ? "microphoneOff" : "pause"} word={muted ? on : off} onPress={toggle} pressed={muted} />
        <Button icon="stop" tone="danger" word={t.stop} onPress={() => void stop(session, source)} />
      </div>
    );
  }
  return (
    <div class="actions">
      {session && (
        <Button
          icon="live" tone="main" word={t.start} onPress={() => void start(session, source)}
          disabled={doing.kind === "starting" || source.capture.busy.value || source.capture.fault.value !== null}
        />
      )}
      <Button icon="close" word={t.remove} onPress={() => remove(source)} />
    </div>
  );
}

export function AddButtons() {
  const t = words.value.theatre;
  return (
    <div class="add actions">
      <Button icon="camera" word={t.addCamera} onPress={() => add(nextCameraType())} />
      <Button icon="screen" word={t.addScreen} onPress={() => add("ultrasound", true)} />
      <Button icon="microphone" word={t.addMicrophone} onPress={() => add("microphone")} />
    </div>
  );
}

/** The first camera is most likely the scope; each further one is offered as the next type not yet there. */
function nextCameraType(): SourceType {
  const present = new Set(sources.value.map((s) => s.type.value));
  return (["endoscope", "overhead", "room"] as const).find((type) => !present.has(type)) ?? "other";
}
