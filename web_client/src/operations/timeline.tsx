/** What happened in the room, newest first. */
import { words } from "../i18n";
import type { Desk } from "./desk";

export function Timeline({ desk }: { desk: Desk }) {
  const t = words.value.operations;
  const events = [...desk.timeline.value].reverse();
  const exact = new Intl.DateTimeFormat(words.value.code === "vi" ? "vi-VN" : "en-GB", { timeStyle: "medium" });
  return (
    <section aria-labelledby="timeline-title">
      <h2 id="timeline-title">{t.timeline}</h2>
      {events.length === 0 && <p class="quiet">{t.noEvents}</p>}
      <ol class="timeline" tabIndex={0}>
        {events.map((event, i) => (
          <li key={`${event.at_ms}-${i}`} data-kind={event.kind}>
            <time dateTime={new Date(event.at_ms).toISOString()} title={new Date(event.at_ms).toISOString()}>
              {exact.format(event.at_ms)}
            </time>
            <span>
              {t.events[event.kind]}
              {event.detail ? `: ${event.detail}` : ""}
              {event.participant != null && <small> {event.participant.slice(0, 6)}</small>}
            </span>
          </li>
        ))}
      </ol>
    </section>
  );
}
