/** Every action is asked once more, in words that say what will happen and to whom. */
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { words } from "../i18n";
import { Refusal } from "./api";
import type { Action, OperationsApi } from "./api";

interface Asked {
  action: Action;
  /** What will happen. */
  text: string;
  /** Of what a picture is shown. */
  name: string;
}

/** `unexcused`: it would interrupt a surgery, and the server wants to know why. `shown`: by the address of a blob. */
type Outcome =
  | { kind: "asking" } | { kind: "unexcused" } | { kind: "working" } | { kind: "done" } | { kind: "failed"; text: string }
  | { kind: "shown"; address: string; takenMs: number };

/** On a wall screen nothing stays that somebody forgot. */
const SHOWN_MS = 60_000;
/** As many letters as the server asks for. */
const MIN_REASON = 10;

const asked = signal<Asked | null>(null);
const outcome = signal<Outcome>({ kind: "asking" });
const reason = signal("");

export function ask(action: Action, text: string, name = ""): void {
  outcome.value = { kind: "asking" };
  reason.value = "";
  asked.value = { action, text, name };
}

/** The code of the interlock; its own words come from the server's count. */
const INTERLOCK = "live_surgeries";

async function perform(api: OperationsApi, action: Action, surgeries: number): Promise<void> {
  outcome.value = { kind: "working" };
  const t = words.value.operations.confirm;
  try {
    if (action.kind === "thumbnail") {
      const { picture, takenMs } = await api.thumbnail(action);
      // Whoever closed the dialog meanwhile wants to see nothing any more.
      if (asked.value?.action === action) outcome.value = { kind: "shown", address: URL.createObjectURL(picture), takenMs };
      return;
    }
    await api.act(action, reason.value.trim());
    outcome.value = { kind: "done" };
  } catch (error) {
    const code = error instanceof Refusal ? error.code : "network";
    if (code !== INTERLOCK) outcome.value = { kind: "failed", text: action.kind === "thumbnail" ? t.unseen(code) : t.failed(code) };
    else if (action.kind === "drain") outcome.value = { kind: "failed", text: t.interlock(Math.max(1, surgeries)) };
    else outcome.value = { kind: "unexcused" };
  }
}

export function ConfirmDialog({ api, surgeries }: { api: OperationsApi; surgeries: number }) {
  const t = words.value.operations.confirm;
  const dialog = useRef<HTMLDialogElement>(null);
  const now = asked.value;
  useEffect(() => {
    if (now !== null) dialog.current?.showModal();
    else {
      dialog.current?.close();
      outcome.value = { kind: "asking" };
    }
  }, [now]);
  const state = outcome.value;
  const over = state.kind === "done" || state.kind === "shown";
  const refused = now?.action.kind === "drain" && surgeries > 0;
  return (
    <dialog ref={dialog} class="card confirm" aria-labelledby="confirm-title" onClose={() => (asked.value = null)}>
      <h2 id="confirm-title">{state.kind === "shown" ? now?.name : t.title}</h2>
      {state.kind === "shown" ? <Shown address={state.address} takenMs={state.takenMs} /> : <p>{now?.text}</p>}
      {refused && <p class="fault" role="alert">{t.interlock(surgeries)}</p>}
      {state.kind === "unexcused" && <Excuse />}
      {state.kind === "working" && <p role="status">{t.working}</p>}
      {state.kind === "done" && <p role="status">{t.done}</p>}
      {state.kind === "failed" && <p class="fault" role="alert">{state.text}</p>}
      <div class="actions">
        <button type="button" class="button" autofocus onClick={() => (asked.value = null)}>{over ? t.close : t.no}</button>
        {now !== null && state.kind !== "working" && !over && (
          <button
            type="button" class="button danger"
            disabled={refused || (state.kind === "unexcused" && reason.value.trim().length < MIN_REASON)}
            onClick={() => void perform(api, now.action, surgeries)}
          >
            {t.yes}
          </button>
        )}
      </div>
    </dialog>
  );
}

/** Gone for good when it is closed, and after a minute. */
function Shown({ address, takenMs }: { address: string; takenMs: number }) {
  const t = words.value.operations;
  useEffect(() => {
    const close = setTimeout(() => (asked.value = null), SHOWN_MS);
    return () => {
      clearTimeout(close);
      URL.revokeObjectURL(address);
    };
  }, [address]);
  return (
    <figure class="thumbnail">
      <img src={address} alt={t.confirm.shown} />
      <figcaption>{t.past.at(takenMs)}</figcaption>
    </figure>
  );
}

function Excuse() {
  const t = words.value.operations.confirm;
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => field.current?.focus(), []);
  return (
    <>
      <p class="fault" role="alert">{t.unexcused}</p>
      <label class="excuse">
        {t.reason}
        <textarea
          ref={field} rows={2} maxLength={500} value={reason.value}
          onInput={(event) => (reason.value = event.currentTarget.value)}
        />
      </label>
    </>
  );
}
