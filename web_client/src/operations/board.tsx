/** The board: one row a live room, in the order in which the server says to look at them. */
import { language, words } from "../i18n";
import { Icon } from "../ui/icons";
import { serverNowMs } from "./age";
import { StateBadge } from "./badge";
import type { Desk } from "./desk";
import type { BoardRow } from "./model.generated";
import { searchOf, select } from "./place";

export function Board({ desk }: { desk: Desk }) {
  const t = words.value.operations;
  const received = desk.received.value;
  if (received === null) return <p class="empty" role="status">{t.loading}</p>;
  const { rows } = received.board;
  if (rows.length === 0) return <div class="empty"><strong>{t.noRooms}</strong><p>{t.noRoomsHelp}</p></div>;
  const nowMs = serverNowMs(received, desk.nowMs.value);
  return (
    <table class="board" aria-label={t.board}>
      <thead>
        <tr>
          {[t.columns.state, t.columns.clinical, t.columns.room, t.columns.cause, t.columns.since, t.columns.action, t.columns.people]
            .map((name) => <th key={name} scope="col">{name}</th>)}
        </tr>
      </thead>
      <tbody>{rows.map((row) => <Row key={row.room} row={row} nowMs={nowMs} />)}</tbody>
    </table>
  );
}

function Row({ row, nowMs }: { row: BoardRow; nowMs: number }) {
  const t = words.value.operations;
  const open = (event: Event): void => {
    event.preventDefault();
    select({ room: row.room });
  };
  return (
    <tr data-state={row.state} data-class={row.clinical_class}>
      <td data-label={t.columns.state}><StateBadge state={row.state} /></td>
      <td data-label={t.columns.clinical}>{t.classes[row.clinical_class]}</td>
      <th scope="row" data-label={t.columns.room}>
        <a href={searchOf({ room: row.room, participant: null, publication: null, past: null })} onClick={open}>{row.room}</a>
        {row.recording && <span class="recording"><Icon name="live" /> {t.recording}</span>}
      </th>
      <td data-label={t.columns.cause} data-empty={row.cause === null}>
        <span>
          {row.cause === null ? "–" : row.cause.title[language.value]}
          {row.worst_role !== null && <small class="whose">{words.value.roles[row.worst_role]}</small>}
        </span>
      </td>
      <td data-label={t.columns.since} class="number">{t.since(Math.max(0, nowMs - row.since_ms) / 1_000)}</td>
      <td data-label={t.columns.action} data-empty={row.cause === null}>{row.cause === null ? "–" : row.cause.action[language.value]}</td>
      <td data-label={t.columns.people}>{t.people(row.participants, row.viewers, row.publications)}</td>
    </tr>
  );
}
