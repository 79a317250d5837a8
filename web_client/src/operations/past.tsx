/** Rooms that stood: those of one day, found by name. */
import { useState } from "preact/hooks";
import { words } from "../i18n";
import { Button } from "../ui/parts";
import { dayOf, dayText, found, midnight, named, SEALED } from "./days";
import type { Desk } from "./desk";
import { useLoaded } from "./loaded";
import type { RoomSpan } from "./model.generated";
import { searchOf, select } from "./place";

const ROOM = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

export function PastRooms({ desk, dayMs }: { desk: Desk; dayMs: number }) {
  const t = words.value.operations.past;
  const [text, setText] = useState("");
  const [whole, setWhole] = useState("");
  const day = dayOf(dayMs);
  const { value: spans, failed } = useLoaded(async () => {
    const asked = [desk.api.rooms(day), ...(ROOM.test(whole) ? [desk.api.rooms(day, whole)] : [])];
    return named((await Promise.all(asked)).flatMap((answer) => answer.found));
  }, [day.fromMs, whole]);
  const shown = found(spans ?? [], text);
  const sealed = (spans ?? []).filter((span) => span.room.startsWith(SEALED)).length;
  return (
    <div class="room-view">
      <div class="actions"><Button icon="unpin" word={words.value.operations.back} onPress={() => select({})} /></div>
      <h2>{t.title}</h2>
      <div class="asked">
        <label>
          {t.day}
          <input type="date" value={dayText(dayMs)} onChange={(event) => select({ past: midnight(event.currentTarget.value) ?? dayMs })} />
        </label>
        <label>{t.search}<input type="search" value={text} maxLength={64} onInput={(event) => setText(event.currentTarget.value)} onChange={(event) => setWhole(event.currentTarget.value.trim())} /></label>
      </div>
      {failed !== null && <p role="alert" class="advice">{words.value.operations.fileFailed(failed)}</p>}
      {failed === null && spans === null && <p class="empty" role="status">{words.value.operations.loading}</p>}
      {spans !== null && shown.length === 0 && <p class="empty" role="status">{t.none}</p>}
      {shown.length > 0 && <Spans spans={shown} />}
      {sealed > 0 && <p class="quiet">{t.sealed(sealed)}</p>}
    </div>
  );
}

function Spans({ spans }: { spans: readonly RoomSpan[] }) {
  const { past: t, columns, classes } = words.value.operations;
  return (
    <table class="board" aria-label={t.title}>
      <thead><tr>{[columns.room, columns.clinical, t.opened, t.closed].map((name) => <th key={name} scope="col">{name}</th>)}</tr></thead>
      <tbody>
        {spans.map((span) => {
          const to = { room: span.room, participant: null, publication: null, past: span.opened_ms };
          const open = (event: Event): void => {
            event.preventDefault();
            select(to);
          };
          return (
            <tr key={span.span}>
              <th scope="row" data-label={columns.room}><a href={searchOf(to)} onClick={open}>{span.room}</a></th>
              <td data-label={columns.clinical}>{classes[span.clinical_class]}</td>
              <td data-label={t.opened} class="number">{t.moment(span.opened_ms)}</td>
              <td data-label={t.closed} class="number">{span.closed_ms === null ? t.standing : t.moment(span.closed_ms)}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
