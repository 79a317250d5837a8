/** The path drawn: who sends > server > who watches. Lines by colour and dashes, and every number in words beside them. */
import { words } from "../i18n";
import { pathOf } from "./path";
import type { Leg } from "./path";
import { select } from "./place";
import type { RoomDetail } from "./model.generated";

/** A wall screen shows this many; the others are better than the last shown. */
const SHOWN = 6;

export function PathView({ room }: { room: RoomDetail }) {
  const t = words.value.operations;
  const { senders, watchers } = pathOf(room);
  return (
    <section class="path" aria-labelledby="path-title">
      <h2 id="path-title">{t.path}</h2>
      <div class="path-drawing">
        <Side room={room.row.room} legs={senders} empty={t.nobodySends} doing={t.sends} side="from" />
        <p class="path-server">{t.server}</p>
        <Side room={room.row.room} legs={watchers} empty={t.nobodyWatches} doing={t.watches} side="to" />
      </div>
    </section>
  );
}

interface SideProps {
  room: string;
  legs: readonly Leg[];
  empty: string;
  doing: string;
  side: "from" | "to";
}

function Side({ room, legs, empty, doing, side }: SideProps) {
  const t = words.value.operations;
  const { roles } = words.value;
  if (legs.length === 0) return <p class="path-none">{empty}</p>;
  return (
    <ul class={`path-side ${side}`}>
      {legs.slice(0, SHOWN).map((leg) => (
        <li key={leg.participant} data-state={leg.state}>
          <button type="button" class="button" onClick={() => select({ room, participant: leg.participant })}>
            {roles[leg.role]} <small>{doing}</small>
          </button>
          <svg class="path-line" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" focusable="false">
            <path d="M0 5H100" />
          </svg>
          <small class="path-words">
            {t.leg(t.legStates[leg.state], leg.rttSeconds, leg.lossRatio, leg.bitsPerSecond)}
            {leg.relayed && `, ${t.relayed}`}
          </small>
        </li>
      ))}
      {legs.length > SHOWN && <li class="quiet">{t.more(legs.length - SHOWN)}</li>}
    </ul>
  );
}
