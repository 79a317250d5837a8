/** What each viewer got when: a row for each below the timeline, which says in words what holds at the player's moment. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { words } from "../i18n";
import { Icon } from "../ui/icons";
import type { IconName } from "../ui/icons";
import type { ReviewApi } from "./api";
import { codeOf } from "./api";
import { adviceOn } from "./faults";
import { clockText } from "./model";
import type { Player } from "./player";
import { share } from "./timeline";
import { changeFrom, numbered, runAt } from "./viewers";
import type { Level, Named, Received, Run } from "./viewers";

const ICONS: Record<Level, IconName> = {
  full: "check", reduced: "warning", stills: "camera", sound: "speaker", frozen: "frozen", nothing: "cameraOff", away: "close",
};

export function Reception({ player, api }: { player: Player; api: ReviewApi }) {
  const t = words.value.review.viewers;
  const [received, setReceived] = useState<Received | null>(null);
  const [fault, setFault] = useState<string | null>(null);
  const recording = player.detail.entry.id;
  useEffect(() => {
    let here = true;
    api.received(recording).then(
      (found) => here && setReceived(found),
      (error: unknown) => here && setFault(codeOf(error)),
    );
    return () => {
      here = false;
    };
  }, [api, recording]);
  return (
    <details class="reception" open>
      <summary>{t.title}</summary>
      {fault !== null && <p role="status"><Icon name="warning" /> {t.failed} {adviceOn(fault).title} ({fault})</p>}
      {fault === null && received === null && <p role="status"><span class="spinner" /> {t.loading}</p>}
      {received !== null && <Rows player={player} received={received} />}
    </details>
  );
}

function Rows({ player, received }: { player: Player; received: Received }) {
  const t = words.value.review.viewers;
  const named = useMemo(() => numbered(received.viewers), [received]);
  if (received.known_from === null) return <p class="quiet">{t.unknown}</p>;
  return (
    <>
      {named.length === 0 && <p class="quiet">{t.nobody}</p>}
      <ul class="strips">
        {named.map((one) => <Row key={one.viewer.participant} player={player} named={one} />)}
      </ul>
      {!received.complete && <p class="quiet">{t.incomplete}</p>}
    </>
  );
}

function Row({ player, named }: { player: Player; named: Named }) {
  const t = words.value.review.viewers;
  const { runs, role, participant } = named.viewer;
  const at = player.position.value;
  const all = player.detail.seconds;
  const now = runAt(runs, at);
  const name = named.number === null ? words.value.roles[role] : t.numbered(words.value.roles[role], named.number);
  const turn = (event: KeyboardEvent): void => {
    const direction = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : null;
    if (direction === null) return;
    event.preventDefault();
    const change = changeFrom(runs, at, direction);
    if (change !== null) player.seek(change);
  };
  // Drawn once: the player's time moves ten times a second, and the runs do not.
  const drawn = useMemo(() => runs.map((run) => <Piece key={run.start} run={run} all={all} />), [runs, all, t]);
  return (
    <li data-viewer={participant} data-level={now?.level ?? "unknown"}>
      <span class="strip-name">{name}</span>
      <span
        class="strip got" role="slider" tabIndex={0} aria-label={t.rowLabel(name)} aria-valuemin={0} aria-valuemax={Math.round(all)}
        aria-valuenow={Math.round(now?.start ?? at)} aria-valuetext={now === null ? t.absent : spanWords(now)} onKeyDown={turn}
        onClick={(event) => player.seek(all * fractionOf(event))}
      >
        {drawn}
        <i class="head" style={{ left: share(at, all) }} />
      </span>
      <small class="strip-word">{now === null ? t.absent : <><Icon name={ICONS[now.level]} /> {runWords(now)}</>}</small>
    </li>
  );
}

function Piece({ run, all }: { run: Run; all: number }) {
  return (
    <i
      class="run" data-level={run.level} title={spanWords(run)}
      style={{ left: share(run.start, all), width: share(run.end - run.start, all) }}
    />
  );
}

function fractionOf(event: MouseEvent & { currentTarget: HTMLElement }): number {
  const box = event.currentTarget.getBoundingClientRect();
  return (event.clientX - box.left) / Math.max(1, box.width);
}

function runWords(run: Run): string {
  const t = words.value.review.viewers;
  return run.reason === null ? t.levels[run.level] : t.because(t.levels[run.level], t.reasons[run.reason]);
}

function spanWords(run: Run): string {
  return `${clockText(run.start)} – ${clockText(run.end)}: ${runWords(run)}`;
}
