/** Exports: what, from where to where, and how far each is: percent, rate, time left, cancel. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { language, words } from "../i18n";
import { Button } from "../ui/parts";
import type { ExportList, ExportState, ReviewApi, Subject } from "./api";
import { adviceOn, failed } from "./faults";
import { clockText } from "./model";
import type { Player } from "./player";
import { nameOf } from "./stage";
import type { View } from "./view";

const ASK_MS = 1_000;
const STILLS = new Set(["png", "jpeg", "dicom-still"]);

const form = signal("mp4");
const camera = signal("");
const start = signal<number | null>(null);
const end = signal<number | null>(null);
const withSound = signal(true);
const NOBODY: Subject = { patient_id: "", patient_name: "", birth_date: "", sex: "" };
const subject = signal(NOBODY);
const exports = signal<readonly ExportState[]>([]);
/** Title of the hospital's archive, where there is one. */
const archive = signal<string | null>(null);

export function Exports({ player, api }: { player: Player; api: ReviewApi }) {
  const t = words.value.review;
  const recording = player.detail.entry.id;
  const cameras = player.detail.tracks.filter((track) => track.kind === "video");
  const still = STILLS.has(form.value);
  const chosen = camera.value === "" && still ? (cameras[0]?.id ?? "") : camera.value;
  useExportNews(api, recording);
  const begin = async (): Promise<void> => {
    try {
      const order = {
        form: form.value, use: player.detail.use, tracks: chosen === "" ? [] : [chosen], sound: withSound.value, language: language.value,
        ...(form.value.startsWith("dicom") ? { subject: told(subject.value) } : {}),
        start_seconds: still ? player.position.value : (start.value ?? 0), end_seconds: still ? null : end.value,
      };
      exports.value = [...exports.value, await api.startExport(recording, order)];
    } catch (error) {
      failed(error);
    }
  };
  return (
    <section class="card exports" aria-label={t.exports}>
      <h2>{t.exports}</h2>
      <div class="field">
        <label for="export-form">{t.form}</label>
        <select id="export-form" value={form.value} onChange={(event) => (form.value = event.currentTarget.value)}>
          {Object.entries(t.forms).map(([key, word]) => <option key={key} value={key}>{word}</option>)}
        </select>
      </div>
      <div class="field">
        <label for="export-camera">{t.cameras}</label>
        <select id="export-camera" value={chosen} onChange={(event) => (camera.value = event.currentTarget.value)}>
          {!still && <option value="">{words.value.consult.all}</option>}
          {cameras.map((track) => <option key={track.id} value={track.id}>{nameOf(track)}</option>)}
        </select>
      </div>
      {!still && <Span player={player} />}
      {form.value.startsWith("dicom") && <SubjectFields />}
      <Button icon="check" tone="main" word={t.startExport} onPress={() => void begin()} />
      <p class="quiet">{t.derived}</p>
      <ul>{exports.value.filter((one) => one.use === player.detail.use).map((one) => <Export key={one.id} one={one} view={player.view} api={api} />)}</ul>
    </section>
  );
}

function isOpen(one: ExportState): boolean {
  return one.state === "waiting" || one.state === "running" || one.archive?.state === "sending";
}

function take(news: ExportList): void {
  exports.value = news.exports;
  archive.value = news.archive;
}

function useExportNews(api: ReviewApi, recording: string): void {
  useEffect(() => {
    const ask = (): void => {
      if (exports.value.some(isOpen)) api.exports(recording).then(take, failed);
    };
    api.exports(recording).then(take, failed);
    const timer = setInterval(ask, ASK_MS);
    return () => {
      clearInterval(timer);
      exports.value = [];
      subject.value = NOBODY;
    };
  }, [recording]);
}

/** As DICOM writes a day, and names composed as they were typed. */
function told(typed: Subject): Subject {
  return { ...typed, patient_name: typed.patient_name.normalize("NFC"), birth_date: typed.birth_date.replaceAll("-", "") };
}

function SubjectFields() {
  const t = words.value.review.subject;
  const typed = (name: keyof Subject) => (event: { currentTarget: HTMLInputElement | HTMLSelectElement }): void => {
    subject.value = { ...subject.value, [name]: event.currentTarget.value };
  };
  const now = subject.value;
  return (
    <fieldset class="subject">
      <legend>{t.title}</legend>
      <label class="field">{t.id}<input value={now.patient_id} maxLength={64} autocomplete="off" onInput={typed("patient_id")} /></label>
      <label class="field">{t.name}<input value={now.patient_name} maxLength={64} autocomplete="off" onInput={typed("patient_name")} /></label>
      <label class="field">{t.born}<input type="date" value={now.birth_date} onInput={typed("birth_date")} /></label>
      <label class="field">
        {t.sex}
        <select value={now.sex} onChange={typed("sex")}>
          {Object.entries(t.sexes).map(([key, word]) => <option key={key} value={key === "none" ? "" : key}>{word}</option>)}
        </select>
      </label>
    </fieldset>
  );
}

function Span({ player }: { player: Player }) {
  const t = words.value.review;
  const shown = (at: number | null, otherwise: string): string => (at === null ? otherwise : clockText(at));
  return (
    <div class="span">
      <span>{t.clipStart}: <strong>{shown(start.value, t.wholeStart)}</strong></span>
      <Button icon="flag" word={t.setHere} hint={t.clipStart} onPress={() => (start.value = player.position.value)} />
      <span>{t.clipEnd}: <strong>{shown(end.value, t.wholeEnd)}</strong></span>
      <Button icon="flag" word={t.setHere} hint={t.clipEnd} onPress={() => (end.value = player.position.value)} />
      <Button
        icon={withSound.value ? "speaker" : "speakerOff"} word={t.withSound} pressed={withSound.value}
        tone={withSound.value ? "on" : "plain"} onPress={() => (withSound.value = !withSound.value)}
      />
    </div>
  );
}

function Export({ one, view, api }: { one: ExportState; view: View; api: ReviewApi }) {
  const t = words.value.review;
  const busy = one.state === "waiting" || one.state === "running";
  const remove = (): void => {
    api.removeExport(view.recording, one.id).then(() => (exports.value = exports.value.filter((other) => other.id !== one.id)), failed);
  };
  const what = t.forms[one.form] ?? one.form;
  return (
    <li data-export={one.state}>
      <strong>{what}: {t.exportStates[one.state]}</strong>
      {one.state === "running" && (
        <>
          <progress max={100} value={one.percent} aria-label={what} />
          <span>{t.progress(one.percent, one.rate)}{one.left_seconds !== null && `, ${t.left(one.left_seconds)}`}</span>
        </>
      )}
      {one.state === "failed" && <Fault code={one.code} />}
      <Archived one={one} recording={view.recording} api={api} />
      <div class="actions">
        {one.files.map((name) => (
          <a key={name} class="button" href={view.file(one.id, name)} download>{t.download(name)}</a>
        ))}
        <Button icon="close" word={busy ? t.stop : t.remove} onPress={remove} />
      </div>
    </li>
  );
}

/** DICOM objects go to the hospital's archive, where the operator named one. */
function Archived({ one, recording, api }: { one: ExportState; recording: string; api: ReviewApi }) {
  const t = words.value.review.archive;
  const title = archive.value;
  const sent = one.archive;
  if (title === null || !one.files.some((name) => name.endsWith(".dcm"))) return null;
  if (sent?.state === "stored") return <p class="stored" role="status">{t.stored}</p>;
  if (sent?.state === "sending") {
    return (
      <>
        <progress max={100} value={sent.percent} aria-label={t.send(title)} />
        <span>{t.sending(sent.percent)}</span>
      </>
    );
  }
  const send = (): void => {
    const put = (news: ExportState): void => {
      exports.value = exports.value.map((other) => (other.id === news.id ? news : other));
    };
    api.sendExport(recording, one.id).then(put, failed);
  };
  return (
    <>
      {sent?.state === "failed" && <Fault code={sent.code} />}
      <Button icon="on" word={sent === null ? t.send(title) : t.again(title)} onPress={send} />
    </>
  );
}

function Fault({ code }: { code: string }) {
  const advice = adviceOn(code);
  return (
    <p class="fault" role="alert">
      <strong>{advice.title}.</strong> {advice.steps.join(" ")} {words.value.errorCode(code)}
    </p>
  );
}
