/** Who is here, in which role, and how well they are connected. */
import { remoteQuality } from "../client/quality";
import type { Session } from "../client/session";
import { words } from "../i18n";
import { Icon } from "./icons";
import { servedQuality } from "./link";
import { QualityView } from "./parts";

export function People({ session }: { session: Session }) {
  const t = words.value;
  const me = session.me.value?.participant;
  const room = session.room.value;
  const publications = [...room.publications.values()];
  return (
    <section class="people" aria-label={t.consult.people}>
      <h2><Icon name="people" /> {t.consult.people} ({room.participants.size})</h2>
      <ul>
        {[...room.participants.values()].map((person) => {
          const own = publications.filter((p) => p.participant === person.id);
          const told = room.standings.get(person.id);
          const quality = person.id === me
            ? servedQuality(session)
            : remoteQuality(person, own, session.quality.value, performance.now(), told);
          return (
            <li key={person.id} data-participant={person.id}>
              <Icon name="person" />
              <span class="person">
                <strong>{person.name === "" ? t.roles[person.role] : person.name}</strong>
                {person.id === me && <> ({t.consult.you})</>}
                <small>{t.roles[person.role]}</small>
                {told && told.cause !== "publisher" && person.id !== me && (
                  <strong class="theirs">{t.standing.theirs[told.step]}</strong>
                )}
              </span>
              <QualityView quality={quality} />
            </li>
          );
        })}
      </ul>
    </section>
  );
}
