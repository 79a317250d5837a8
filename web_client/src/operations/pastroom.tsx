/** Ten minutes of a room as they were: who was there, what each saw at a moment, charts, what happened, files to take away. */
import { useMemo, useState } from "preact/hooks";
import { language, words } from "../i18n";
import { Button } from "../ui/parts";
import type { Reading, Span } from "./api";
import { Charts } from "./chart";
import { momentOf, sampleAt, timeText } from "./days";
import type { Desk } from "./desk";
import { Files } from "./files";
import { useLoaded } from "./loaded";
import type { Sample, SourceSample, TimelineEvent } from "./model.generated";
import { select, selected } from "./place";
import { KEPT_MS } from "./series";
import { Timeline } from "./timeline";

interface Past {
  samples: Reading<Sample>;
  events: Reading<TimelineEvent>;
}

export function PastRoom({ desk, room, fromMs }: { desk: Desk; room: string; fromMs: number }) {
  const all = words.value.operations;
  const t = all.past;
  const span: Span = { fromMs, toMs: fromMs + KEPT_MS };
  const { value: past, failed } = useLoaded<Past>(async () => {
    const [samples, events] = await Promise.all([desk.api.samples(room, span), desk.api.timeline(room, span)]);
    return { samples, events };
  }, [room, fromMs]);
  return (
    <div class="room-view">
      <div class="actions">
        <Button icon="unpin" word={t.title} onPress={() => select({ past: fromMs })} />
        <Files api={desk.api} room={room} span={() => span} />
      </div>
      <h2 class="room-head">{words.value.roomName(room)} – {t.window(span.fromMs, span.toMs)}</h2>
      <Window room={room} fromMs={fromMs} />
      {failed !== null && <p role="alert" class="advice">{all.fileFailed(failed)}</p>}
      {failed === null && past === null && <p class="empty" role="status">{all.loading}</p>}
      {past !== null && (
        <>
          {(past.samples.droppedBeforeMs ?? 0) > fromMs && (
            <p class="advice" role="status">{t.dropped(past.samples.droppedBeforeMs ?? 0)}</p>
          )}
          {(past.samples.more || past.events.more) && <p class="advice" role="status">{t.more}</p>}
          <Was key={`${room} ${String(fromMs)}`} room={room} span={span} samples={past.samples.found} />
          <Timeline events={past.events.found} causes={desk.causes.value} none={t.noEvents} />
        </>
      )}
    </div>
  );
}

/** Chooses which ten minutes. */
function Window({ room, fromMs }: { room: string; fromMs: number }) {
  const t = words.value.operations.past;
  const { participant } = selected.value;
  const go = (past: number): void => select({ room, participant, past: Math.round(past) });
  return (
    <div class="asked">
      <Button icon="unpin" word={t.earlier} onPress={() => go(fromMs - KEPT_MS)} />
      <label>
        {t.from}
        <input
          type="time" step={1} value={timeText(fromMs)}
          onChange={(event) => go(momentOf(event.currentTarget.value, fromMs) ?? fromMs)}
        />
      </label>
      <Button icon="full" word={t.later} onPress={() => go(fromMs + KEPT_MS)} />
    </div>
  );
}

function Was({ room, span, samples }: { room: string; span: Span; samples: readonly Sample[] }) {
  const all = words.value.operations;
  const people = [...new Map(samples.map((sample) => [sample.participant, sample.role]))];
  const { participant, publication } = selected.value;
  const own = samples.filter((sample) => sample.participant === participant);
  if (people.length === 0) return <p class="empty" role="status">{all.past.nobody}</p>;
  return (
    <>
      <section aria-labelledby="people-title">
        <h2 id="people-title">{all.participants}</h2>
        <div class="actions">
          {people.map(([id, role]) => (
            <button
              key={id} type="button" class="button" aria-pressed={id === participant}
              onClick={() => select({ room, participant: id === participant ? null : id, past: span.fromMs })}
            >
              {words.value.roles[role]} {id.slice(0, 6)}
            </button>
          ))}
        </div>
        {participant === null && <p class="quiet">{all.past.choose}</p>}
      </section>
      {own.length > 0 && (
        <>
          <Moment span={span} own={own} samples={samples} />
          <Charts title={all.past.charts} samples={own} publication={publication} />
        </>
      )}
    </>
  );
}

/** The moment looked at: by itself, so that the charts are not drawn again for each step of the slider. */
function Moment({ span, own, samples }: { span: Span; own: readonly Sample[]; samples: readonly Sample[] }) {
  const t = words.value.operations.past;
  const [atMs, setAtMs] = useState(own[0]?.at_ms ?? span.fromMs);
  const sources = useMemo(() => sourcesOf(samples), [samples]);
  return (
    <section class="card">
      <label class="moment">
        <strong>{t.at(atMs)}</strong>
        <input
          type="range" min={span.fromMs} max={span.toMs} step={1_000} value={atMs} aria-valuetext={t.at(atMs)}
          onInput={(event) => setAtMs(Number(event.currentTarget.value))}
        />
      </label>
      <Saw sample={sampleAt(own, atMs)} sources={sources} />
    </section>
  );
}

/** What somebody sent and saw at one moment. */
function Saw({ sample, sources: known }: { sample: Sample | null; sources: Sources }) {
  const t = words.value.operations;
  if (sample === null) return <p class="quiet" role="status">{t.past.absent}</p>;
  const views = sample.views ?? [];
  const sources = sample.sources ?? [];
  return (
    <ul class="tracks" aria-live="polite" lang={language.value}>
      {sources.map((source) => (
        <li key={source.publication}>
          {t.past.sent(words.value.sourceTypes[source.source_type])}:{" "}
          {t.track((source.layers ?? []).join(", ") || t.none, source.bits_per_second ?? 0, source.frames_per_second ?? null)}
          {source.picture != null && <>; {t.pictures[source.picture]}</>}
        </li>
      ))}
      {views.map((view) => (
        <li key={view.publication}>
          {t.past.saw(nameOf(view.publication, known))}: {t.views[view.state]};{" "}
          {t.track(String(view.layer ?? t.none), view.bits_per_second ?? 0, view.frames_per_second ?? null)}
          {view.reason != null && <>: {t.viewReasons[view.reason]}</>}
          {(view.freeze_seconds ?? 0) > 0 && <>; <strong class="advice">{t.past.froze(view.freeze_seconds ?? 0)}</strong></>}
        </li>
      ))}
      {views.length + sources.length === 0 && <li>{t.past.nothing}</li>}
    </ul>
  );
}

type Sources = ReadonlyMap<string, SourceSample["source_type"]>;

/** Of each publication the kind, as whoever sent it told. */
function sourcesOf(samples: readonly Sample[]): Sources {
  return new Map(samples.flatMap((sample) => (sample.sources ?? []).map((one) => [one.publication, one.source_type])));
}

function nameOf(publication: string, sources: Sources): string {
  const kind = sources.get(publication);
  return kind === undefined ? publication.slice(0, 6) : words.value.sourceTypes[kind];
}
