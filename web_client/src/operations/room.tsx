/** One room: state, path, people down to their tracks, charts of whoever is chosen, and what happened. */
import type { ComponentChildren } from "preact";
import { language, words } from "../i18n";
import { Button } from "../ui/parts";
import { StateBadge } from "./badge";
import { ChartView } from "./chart";
import { ask } from "./confirm";
import type { Desk } from "./desk";
import type { Finding, ParticipantDetail, RoomDetail } from "./model.generated";
import { PathView } from "./pathview";
import { selected, select } from "./place";
import { chartsOf, KEPT_MS } from "./series";
import { Timeline } from "./timeline";
import { SourceLine, ViewLine } from "./track";

export function RoomView({ desk }: { desk: Desk }) {
  const t = words.value.operations;
  const room = desk.room.value;
  return (
    <div class="room-view">
      <div class="actions">
        <Button icon="unpin" word={t.back} onPress={() => select({})} />
        {room !== null && <ReportButton desk={desk} room={room.row.room} />}
      </div>
      {desk.roomGone.value && <p class="empty" role="status">{t.gone}</p>}
      {room === null && !desk.roomGone.value && <p class="empty" role="status">{t.loading}</p>}
      {room !== null && <Room desk={desk} room={room} />}
      <Timeline desk={desk} />
    </div>
  );
}

function ReportButton({ desk, room }: { desk: Desk; room: string }) {
  const open = async (): Promise<void> => {
    const report = URL.createObjectURL(await desk.api.report(room, Date.now() - KEPT_MS, language.value));
    window.open(report, "_blank", "noopener");
    setTimeout(() => URL.revokeObjectURL(report), 60_000);
  };
  return <Button icon="full" word={words.value.operations.report} onPress={() => void open().catch(() => undefined)} />;
}

function Room({ desk, room }: { desk: Desk; room: RoomDetail }) {
  const t = words.value.operations;
  const chosen = room.participants.find((p) => p.id === selected.value.participant);
  return (
    <>
      <h2 class="room-head">
        {words.value.roomName(room.row.room)} – {t.classes[room.row.clinical_class]} <StateBadge state={room.row.state} />
      </h2>
      {room.row.cause !== null && (
        <p class="cause"><strong>{room.row.cause.title[language.value]}</strong> {room.row.cause.action[language.value]}</p>
      )}
      <PathView room={room} />
      <section aria-labelledby="people-title">
        <h2 id="people-title">{t.participants}</h2>
        <ul class="participants">
          {room.participants.map((p) => <Person key={p.id} room={room.row.room} person={p} open={p === chosen} />)}
        </ul>
      </section>
      {chosen && <Charts desk={desk} />}
    </>
  );
}

function Person({ room, person, open }: { room: string; person: ParticipantDetail; open: boolean }) {
  const t = words.value.operations;
  const who = `${words.value.roles[person.role]} ${person.id.slice(0, 6)}`;
  const { sample } = person;
  return (
    <li class="card participant" data-open={open}>
      <div class="participant-head">
        <button
          type="button" class="button" aria-expanded={open}
          onClick={() => select(open ? { room } : { room, participant: person.id })}
        >
          {who}
        </button>
        <Findings findings={person.findings} />
        {sample?.claims_age_seconds != null && <small>{t.claims(sample.claims_age_seconds)}</small>}
      </div>
      {open && (
        <>
          <Tracks title={t.sources}>
            {(sample?.sources ?? []).map((s) => <SourceLine key={s.publication} room={room} participant={person.id} source={s} />)}
          </Tracks>
          <Tracks title={t.watched}>
            {(sample?.views ?? []).map((v) => <ViewLine key={v.publication} room={room} participant={person.id} view={v} />)}
          </Tracks>
          <div class="actions">
            <Button
              icon="retry" word={t.actions.reconnect}
              onPress={() => ask({ kind: "reconnect", room, participant: person.id }, t.confirm.reconnect(who))}
            />
            <Button
              icon="leave" tone="danger" word={t.actions.remove}
              onPress={() => ask({ kind: "remove", room, participant: person.id }, t.confirm.remove(who))}
            />
          </div>
        </>
      )}
    </li>
  );
}

function Tracks({ title, children }: { title: string; children: ComponentChildren[] }) {
  if (children.length === 0) return null;
  return (
    <>
      <h3>{title}</h3>
      <ul class="tracks">{children}</ul>
    </>
  );
}

function Findings({ findings }: { findings: readonly Finding[] }) {
  const t = words.value.operations;
  if (findings.length === 0) return <small>{t.noFindings}</small>;
  return (
    <ul class="finding-list">
      {findings.map((f) => (
        <li key={`${f.cause}${f.publication ?? ""}`} data-severity={f.severity}>
          <StateBadge state={f.severity} />{" "}
          {f.evidence.map((e) => t.evidence(e.measure, sized(e.value, e.unit), sized(e.limit, e.unit))).join("; ")}
        </li>
      ))}
    </ul>
  );
}

/** A measured value with its unit, as the server names units. */
function sized(value: number, unit: string): string {
  const { units } = words.value.operations;
  if (unit === "seconds") return units.seconds(value);
  if (unit === "ratio") return units.ratio(value);
  if (unit === "bits_per_second") return units.bits(value);
  return words.value.number(value);
}

function Charts({ desk }: { desk: Desk }) {
  const t = words.value.operations;
  const charts = chartsOf(desk.samples.value, selected.value.publication);
  return (
    <section aria-labelledby="charts-title" class="charts">
      <h2 id="charts-title">{t.charts}</h2>
      {charts.length === 0 && <p class="quiet">{t.noSamples}</p>}
      {charts.map((chart) => <ChartView key={chart.series.map((s) => s.key).join()} chart={chart} />)}
    </section>
  );
}
