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
}

type Outcome = { kind: "asking" } | { kind: "working" } | { kind: "done" } | { kind: "failed"; text: string };

const asked = signal<Asked | null>(null);
const outcome = signal<Outcome>({ kind: "asking" });

export function ask(action: Action, text: string): void {
  outcome.value = { kind: "asking" };
  asked.value = { action, text };
}

/** The code of the interlock; its own words come from the server's count. */
const INTERLOCK = "live_surgeries";

async function perform(api: OperationsApi, action: Action, surgeries: number): Promise<void> {
  outcome.value = { kind: "working" };
  const t = words.value.operations.confirm;
  try {
    await api.act(action);
    outcome.value = { kind: "done" };
  } catch (error) {
    const code = error instanceof Refusal ? error.code : "network";
    outcome.value = { kind: "failed", text: code === INTERLOCK ? t.interlock(Math.max(1, surgeries)) : t.failed(code) };
  }
}

export function ConfirmDialog({ api, surgeries }: { api: OperationsApi; surgeries: number }) {
  const t = words.value.operations.confirm;
  const dialog = useRef<HTMLDialogElement>(null);
  const now = asked.value;
  useEffect(() => {
    if (now !== null) dialog.current?.showModal();
    else dialog.current?.close();
  }, [now]);
  const state = outcome.value;
  const refused = now?.action.kind === "drain" && surgeries > 0;
  return (
    <dialog ref={dialog} class="card confirm" aria-labelledby="confirm-title" onClose={() => (asked.value = null)}>
      <h2 id="confirm-title">{t.title}</h2>
      <p>{now?.text}</p>
      {refused && <p class="fault" role="alert">{t.interlock(surgeries)}</p>}
      {state.kind === "working" && <p role="status">{t.working}</p>}
      {state.kind === "done" && <p role="status">{t.done}</p>}
      {state.kind === "failed" && <p class="fault" role="alert">{state.text}</p>}
      <div class="actions">
        <button type="button" class="button" autofocus onClick={() => (asked.value = null)}>{t.no}</button>
        {now !== null && (state.kind === "asking" || state.kind === "failed") && (
          <button
            type="button" class="button danger" disabled={refused}
            onClick={() => void perform(api, now.action, surgeries)}
          >
            {t.yes}
          </button>
        )}
      </div>
    </dialog>
  );
}
