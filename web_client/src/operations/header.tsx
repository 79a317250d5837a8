/** What is true of the whole server, and how old it is: the first thing that must be right on this page. */
import { words } from "../i18n";
import { Icon } from "../ui/icons";
import { Button } from "../ui/parts";
import { LanguageSwitch } from "../ui/shell";
import { ageSeconds, isStale } from "./age";
import { BellButton } from "./alerts";
import { ask } from "./confirm";
import type { Desk } from "./desk";
import type { Board } from "./model.generated";
import { select } from "./place";

/** Beyond this a silent canary is told rather than its last figures. */
const CANARY_SILENT_SECONDS = 10;

export function Header({ desk }: { desk: Desk }) {
  const t = words.value.operations;
  const received = desk.received.value;
  const age = ageSeconds(received, desk.nowMs.value);
  const stale = isStale(received, desk.nowMs.value);
  return (
    <>
      <header class="bar">
        <h1>{words.value.product} <span class="room-name">{t.title}</span></h1>
        <p class={`standing ${stale ? "bad" : ""}`} data-stale={stale}>
          <Icon name={stale ? "warning" : "late"} /> {age === null ? t.noData : t.dataAge(age)}
        </p>
        {received !== null && (
          <>
            <p class="standing" data-surgeries={received.board.live_surgeries}>{t.surgeries(received.board.live_surgeries)}</p>
            <p class="standing">{t.alerts(received.board.open_alerts)}</p>
          </>
        )}
        <div class="bar-actions">
          <Button icon="late" word={t.past.open} onPress={() => select({ past: Math.round(desk.serverNow()) })} />
          <BellButton />
          <Button icon="stop" tone="danger" word={t.actions.drain} onPress={() => ask({ kind: "drain" }, t.confirm.drain)} />
          <LanguageSwitch />
        </div>
      </header>
      {stale && (
        <p class="stale" role="alert"><Icon name="warning" /> <strong>{t.stale(age)}</strong> {t.staleHelp}</p>
      )}
      {received !== null && <ServerLine board={received.board} />}
    </>
  );
}

function ServerLine({ board }: { board: Board }) {
  const t = words.value.operations;
  const { server, canary } = board;
  const facts = [
    t.version(server.version),
    ...server.workers.map((w) => t.load(w.worker, w.load_ratio)),
    t.lag(server.event_loop_lag_seconds),
    ...(server.disk_free_bytes === null ? [] : [t.diskFree(server.disk_free_bytes)]),
    ...(server.disk_forecast_seconds === null ? [] : [t.diskFull(server.disk_forecast_seconds)]),
    ...(server.pictures === null || server.pictures.sources === 0 ? [] : [
      t.looks(server.pictures.watched, server.pictures.sources, server.pictures.look_seconds),
    ]),
    ...(server.history_dropped > 0 ? [t.historyDropped(server.history_dropped)] : []),
    ...(canary === null ? [] : [
      canary.silent_seconds > CANARY_SILENT_SECONDS
        ? t.canarySilent(canary.silent_seconds)
        : t.canary(canary.delay_seconds, canary.loss_ratio),
    ]),
  ];
  return (
    <section class="server-line" aria-label={t.server}>
      {server.draining && <strong class="advice">{t.draining}</strong>}
      <ul>{facts.map((fact) => <li key={fact}>{fact}</li>)}</ul>
    </section>
  );
}
