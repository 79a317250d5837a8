/** Which patient this room serves, and what was consented to: opened, ticked and closed here. */
import { computed, signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { FORMS, ProcedureRefused, Procedures, RELATIONS, RETENTIONS } from "../client/procedures";
import type { Decision, Form, Procedure, Purpose, PurposeState, Relation, Retention } from "../client/procedures";
import { roomOfPath, takeInvitation } from "../client/invitation";
import { language, words } from "../i18n";
import { place } from "../lobby/places";
import { Icon } from "../ui/icons";
import { Button } from "../ui/parts";

/** Undefined until it is known. */
export const procedure = signal<Procedure | null | undefined>(undefined);
const fault = signal<string | null>(null);
/** Nobody is taught, or shown to strangers, in an emergency. */
const EMERGENCIES: ReadonlySet<Purpose> = new Set(["treatment_link", "recording"]);
const who = signal("");
const relation = signal<Relation>("patient");
const form = signal<Form>("written");

/** Why nothing may be recorded now, in words; null when it may. */
export const recordingBlocked = computed(() => {
  const t = words.value.procedure;
  if (procedure.value === null || procedure.value === undefined) return t.noProcedure;
  const recording = procedure.value.purposes.find((one) => one.purpose === "recording");
  return recording?.permitted === true ? null : t.mayNotRecord(t.purposes.recording);
});

/** Shows what follows, or why it did not. */
async function act(work: () => Promise<Procedure | null>): Promise<void> {
  try {
    procedure.value = await work();
    fault.value = null;
  } catch (error) {
    fault.value = error instanceof ProcedureRefused ? error.code : "other";
  }
}

export function ProcedurePanel() {
  const t = words.value.procedure;
  const room = roomOfPath(place.location.pathname);
  const api = useMemo(() => new Procedures(takeInvitation(place) ?? ""), []);
  useEffect(() => void act(() => api.current(room)), [api]);
  const now = procedure.value;
  const blocked = recordingBlocked.value;
  return (
    <section class="card procedure" aria-label={t.title}>
      <h2>{t.title}</h2>
      {fault.value !== null && <p class="fault" role="alert">{t.faults[fault.value] ?? t.faults.other}</p>}
      {now === undefined && fault.value === null && <p role="status">{t.loading}</p>}
      {now === null && <Opening room={room} api={api} />}
      {now && <Standing now={now} api={api} />}
      {now !== undefined && (
        <p class="may-record" role="status" data-permitted={blocked === null}>
          <Icon name={blocked === null ? "check" : "stop"} /> {blocked ?? t.mayRecord}
        </p>
      )}
    </section>
  );
}

function Opening({ room, api }: { room: string; api: Procedures }) {
  const t = words.value.procedure;
  const open = (event: SubmitEvent): void => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string): string => {
      const value = fields.get(name);
      return typeof value === "string" ? value.normalize("NFC") : "";
    };
    void act(() => api.open(room, text("reference"), text("title"), text("retention") as Retention));
  };
  return (
    <form class="card" onSubmit={open}>
      <p>{t.openHelp}</p>
      <label class="field">{t.reference}<input name="reference" required maxLength={64} autocomplete="off" /></label>
      <label class="field">{t.name}<input name="title" maxLength={200} autocomplete="off" /></label>
      <label class="field">
        {t.retention}
        <select name="retention">{RETENTIONS.map((one) => <option key={one} value={one}>{t.retentions[one]}</option>)}</select>
      </label>
      <button type="submit" class="button main">{t.open}</button>
    </form>
  );
}

function Standing({ now, api }: { now: Procedure; api: Procedures }) {
  const t = words.value.procedure;
  const close = (): void => {
    if (window.confirm(t.closeConfirm)) void act(async () => (await api.close(now.id), null));
  };
  return (
    <>
      <p><strong>{now.reference}</strong>{now.title !== "" && ` · ${now.title}`}</p>
      <p class="quiet">{t.retention}: {t.retentions[now.retention_class]}</p>
      <p>
        {now.confirmed_at === null
          ? <Button icon="person" word={t.confirm} hint={t.unconfirmed} onPress={() => void act(() => api.confirm(now.id))} />
          : <span class="badge given"><Icon name="check" /> {t.confirmed}</span>}
      </p>
      <h3>{t.consents}</h3>
      <Deciding />
      <ul class="purposes">
        {now.purposes.map((state) => <PurposeRow key={state.purpose} state={state} now={now} api={api} />)}
      </ul>
      <Emergency now={now} api={api} />
      <div class="actions"><Button icon="close" tone="danger" word={t.close} onPress={close} /></div>
    </>
  );
}

/** Who decides, as what, how: goes with every decision below it. */
function Deciding() {
  const t = words.value.procedure;
  return (
    <div class="deciding">
      <label class="field">
        {t.who}
        <input value={who.value} maxLength={64} autocomplete="off" onInput={(event) => (who.value = event.currentTarget.value)} />
      </label>
      <label class="field">
        {t.relation}
        <select value={relation.value} onChange={(event) => (relation.value = event.currentTarget.value as Relation)}>
          {RELATIONS.map((one) => <option key={one} value={one}>{t.relations[one]}</option>)}
        </select>
      </label>
      <label class="field">
        {t.form}
        <select value={form.value} onChange={(event) => (form.value = event.currentTarget.value as Form)}>
          {FORMS.map((one) => <option key={one} value={one}>{t.forms[one]}</option>)}
        </select>
      </label>
    </div>
  );
}

function PurposeRow({ state, now, api }: { state: PurposeState; now: Procedure; api: Procedures }) {
  const t = words.value.procedure;
  const name = t.purposes[state.purpose];
  const decide = (decision: Decision): void => void act(async () => {
    const by = who.value.normalize("NFC");
    const purposes = await api.decide(now.id, {
      purpose: state.purpose, decision, by, relation: relation.value, form: form.value, language: language.value,
    });
    return { ...now, purposes };
  });
  const answer = (word: string, decision: Decision, tone: "on" | "danger") => (
    <button
      type="button" class={`button ${tone}`} disabled={who.value.trim() === ""} title={who.value.trim() === "" ? t.whoFirst : undefined}
      aria-label={t.answerFor(word, name)} onClick={() => decide(decision)}
    >
      {word}
    </button>
  );
  return (
    <li data-purpose={state.purpose} data-permitted={state.permitted}>
      <p><ConsentBadge state={state} /> <strong>{name}</strong></p>
      <p class="quiet">{t.texts[state.purpose]}</p>
      <div class="actions">
        {state.permitted
          ? answer(t.withdraw, "withdrawn", "danger")
          : <>{answer(t.give, "given", "on")}{state.decision !== "refused" && answer(t.refuse, "refused", "danger")}</>}
      </div>
    </li>
  );
}

/** Green and grey, and never by colour alone. */
function ConsentBadge({ state }: { state: PurposeState }) {
  const t = words.value.procedure.states;
  const word = state.by_break_glass ? t.emergency : t[state.decision ?? "none"];
  return (
    <span class={state.permitted ? "badge given" : "badge"}>
      <Icon name={state.permitted ? "check" : "close"} /> {word}
    </span>
  );
}

function Emergency({ now, api }: { now: Procedure; api: Procedures }) {
  const t = words.value.procedure;
  const undecided = now.purposes.filter((one) => EMERGENCIES.has(one.purpose) && one.decision === null && !one.permitted);
  if (undecided.length === 0) return null;
  const open = (purpose: Purpose, button: HTMLElement): void => {
    const field = button.closest("details")?.querySelector("textarea");
    if (field?.reportValidity() === true) void act(() => api.breakGlass(now.id, purpose, field.value.normalize("NFC")));
  };
  return (
    <details>
      <summary>{t.emergency}</summary>
      <label class="field">{t.reason}<textarea required maxLength={1000} rows={2} /></label>
      <p class="quiet">{t.emergencyHelp}</p>
      <div class="actions">
        {undecided.map(({ purpose }) => (
          <button key={purpose} type="button" class="button danger" onClick={(event) => open(purpose, event.currentTarget)}>
            {t.emergencyFor(t.purposes[purpose])}
          </button>
        ))}
      </div>
    </details>
  );
}
