/** What happened in a room, newest first. */
import { words } from "../i18n";
import type { TimelineEvent } from "./model.generated";
import { detailOf } from "./said";
import type { Causes } from "./said";

interface TimelineProps {
  events: readonly TimelineEvent[];
  causes: Causes;
  /** Said where nothing happened. */
  none: string;
}

export function Timeline({ events, causes, none }: TimelineProps) {
  const t = words.value.operations;
  return (
    <section aria-labelledby="timeline-title">
      <h2 id="timeline-title">{t.timeline}</h2>
      {events.length === 0 && <p class="quiet">{none}</p>}
      <ol class="timeline" tabIndex={0}>
        {[...events].reverse().map((event, i) => {
          const detail = detailOf(event, causes);
          return (
            <li key={`${event.at_ms}-${i}`} data-kind={event.kind}>
              <time dateTime={new Date(event.at_ms).toISOString()} title={new Date(event.at_ms).toISOString()}>
                {t.clock(event.at_ms)}
              </time>
              <span>
                {t.events[event.kind]}
                {detail === "" ? "" : `: ${detail}`}
                {event.participant != null && <small> {event.participant.slice(0, 6)}</small>}
              </span>
            </li>
          );
        })}
      </ol>
    </section>
  );
}
