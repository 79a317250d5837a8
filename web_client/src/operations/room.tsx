/** One room: state, path, people down to their tracks, charts of whoever is chosen, and what happened. */
import type { ComponentChildren } from "preact";
import { language, words } from "../i18n";
import { Button } from "../ui/parts";
import { StateBadge } from "./badge";
import type { Span } from "./api";
import { Charts } from "./chart";
import { ask } from "./confirm";
import type { Desk } from "./desk";
import { Files } from "./files";
import type { Finding, ParticipantDetail, RoomDetail } from "./model.generated";
import { PathView } from "./pathview";
import { selected, select } from "./place";
import { evidenceOf } from "./said";
import { KEPT_MS } from "./series";
import { Timeline } from "./timeline";
import { SourceLine, ViewLine } from "./track";

export function RoomView({ desk }: { desk: Desk }) {
  const t = words.value.operations;
  const room = desk.room.value;
  const name = selected.value.room;
  return (
    <div class="room-view">
      <div class="actions">
        <Button icon="unpin" word={t.back} onPress={() => select({})} />
        {name !== null && <Files api={desk.api} room={name} span={() => lastMinutes(desk)} />}
      </div>
      {desk.roomGone.value && (
        <p class="empty" role="status">
          {t.gone} <Button icon="late" word={t.past.open} onPress={() => select({ room: name, past: lastMinutes(desk).fromMs })} />
        </p>
      )}
      {room === null && !desk.roomGone.value && <p class="empty" role="status">{t.loading}</p>}
      {room !== null && <Room desk={desk} room={room} />}
      <Timeline events={desk.timeline.value} causes={desk.causes.value} none={t.noEvents} />
    </div>
  );
}

/** What a live room shows, by the server's clock. */
function lastMinutes(desk: Desk): Span {
  const toMs = Math.round(desk.serverNow());
  return { fromMs: toMs - KEPT_MS, toMs };
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
        <p class="cause" data-state={room.row.state}><strong>{room.row.cause.title[language.value]}</strong> {room.row.cause.action[language.value]}</p>
      )}
      <PathView room={room} />
      <section aria-labelledby="people-title">
        <h2 id="people-title">{t.participants}</h2>
        <ul class="participants">
          {room.participants.map((p) => <Person key={p.id} desk={desk} room={room} person={p} open={p === chosen} />)}
        </ul>
      </section>
      {chosen && <Charts title={t.charts} samples={desk.samples.value} publication={selected.value.publication} />}
    </>
  );
}

interface PersonProps {
  desk: Desk;
  room: RoomDetail;
  person: ParticipantDetail;
  open: boolean;
}

function Person({ desk, room: { row: { room }, looked_ms: lookedMs, at_ms: atMs }, person, open }: PersonProps) {
  const t = words.value.operations;
  const thumbnails = desk.received.value?.board.server.pictures?.thumbnails ?? false;
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
            {(sample?.sources ?? []).map((s) => {
              const looked = lookedMs[s.publication];
              return (
                <SourceLine
                  key={s.publication} room={room} participant={person.id} source={s} thumbnails={thumbnails}
                  lookedSeconds={looked === undefined ? null : Math.max(0, (atMs - looked) / 1000)}
                />
              );
            })}
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
          {evidenceOf(f.evidence)}
        </li>
      ))}
    </ul>
  );
}

