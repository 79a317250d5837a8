/** The pre-call test in the lobby: one button, what it is doing, and the result in words, shapes and colours. */
import { signal } from "@preact/signals";
import { measure } from "../client/precall";
import type { Progress } from "../client/precall";
import { grade } from "../client/precall_grades";
import type { Finding, Grade, Measured, Report } from "../client/precall_grades";
import type { Role } from "../client/protocol";
import { words } from "../i18n";
import { Icon } from "../ui/icons";
import type { IconName } from "../ui/icons";
import { Button } from "../ui/parts";

type State =
  | { kind: "idle" }
  | { kind: "running"; progress: Progress }
  | { kind: "refused" }
  | { kind: "done"; measured: Measured; atMs: number };

const state = signal<State>({ kind: "idle" });

const SHAPES: Record<Grade, IconName> = { good: "check", fair: "late", poor: "warning", unknown: "other" };

async function run(invitation: string): Promise<void> {
  if (state.value.kind === "running") return;
  const tell = (progress: Progress): void => {
    state.value = { kind: "running", progress };
  };
  tell({ step: "websocket", done: 0 });
  try {
    const measured = await measure(invitation, tell);
    state.value = { kind: "done", measured, atMs: Date.now() };
  } catch {
    state.value = { kind: "refused" };
  }
}

export function PrecallTest({ invitation, role }: { invitation: string; role: Role }) {
  const t = words.value.precall;
  const now = state.value;
  const start = (word: string) => <Button icon="retry" word={word} onPress={() => void run(invitation)} />;
  return (
    <section class="precall" aria-labelledby="precall-title" data-state={now.kind}>
      <h3 id="precall-title">{t.title}</h3>
      {now.kind === "idle" && <><p class="hint">{t.help}</p>{start(t.start)}</>}
      {now.kind === "running" && <Running progress={now.progress} />}
      {now.kind === "refused" && <><p class="fault" role="alert">{t.refused}</p>{start(t.again)}</>}
      {now.kind === "done" && (
        <>
          <Result report={grade(now.measured, role)} measured={now.measured} />
          <p class="quiet">{t.takenAt(words.value.clock(now.atMs))}</p>
          <div class="actions">
            {start(t.again)}
            <Button icon="full" word={t.print} onPress={() => window.print()} />
          </div>
        </>
      )}
    </section>
  );
}

function Running({ progress }: { progress: Progress }) {
  const t = words.value.precall;
  return (
    <>
      <p role="status">{t.steps[progress.step]}</p>
      <progress max={1} value={progress.done} aria-label={t.title} />
    </>
  );
}

function Result({ report, measured }: { report: Report; measured: Measured }) {
  const t = words.value.precall;
  return (
    <>
      <p class="light" data-grade={report.grade} role="status"><Icon name={SHAPES[report.grade]} /> {t.verdicts[report.grade]}</p>
      <ul class="findings">
        {report.findings.map((finding) => (
          <li key={finding.item} data-item={finding.item} data-grade={finding.grade}>
            <span><Icon name={SHAPES[finding.grade]} /> {t.items[finding.item]}</span>
            <strong>{said(finding, measured)}</strong>
            {(finding.grade === "fair" || finding.grade === "poor") && <small>{t.advice(finding.item, finding.grade)}</small>}
          </li>
        ))}
      </ul>
    </>
  );
}

/** The word first, then the number it comes from. */
function said({ item, grade: found, value }: Finding, measured: Measured): string {
  const t = words.value.precall;
  const word = t.words[found];
  if (item === "udp") return `${word}: ${measured.path === null ? t.blocked : measured.path === "relay" ? t.relayed : t.direct}`;
  if (item === "websocket" && value === null) return `${word}: ${t.blocked}`;
  if (value === null) return word;
  if (item === "up" || item === "down") return `${word}: ${found === "unknown" ? t.atLeast(t.rate(value)) : t.rate(value)}`;
  return `${word}: ${item === "loss" ? t.share(value) : t.milliseconds(value)}`;
}
