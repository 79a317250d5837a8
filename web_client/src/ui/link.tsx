/** What this page's link still carries: one sentence while it is not everything, and the way drawn leg by leg. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { blamed, levelOfLoss, weakUploader, withStanding } from "../client/quality";
import type { Level, Quality } from "../client/quality";
import type { Standing, Step, TroubleCause } from "../client/protocol";
import type { Publication } from "../client/room";
import type { Session } from "../client/session";
import { standingNews } from "../client/standings";
import { words } from "../i18n";
import { Icon } from "./icons";
import { notice } from "./notices";
import { Bars, QualityView } from "./parts";

/** This participant's place on the survival ladder, while it is not the top. */
export function ownStanding(session: Session): Standing | undefined {
  const me = session.me.value?.participant;
  return me === undefined ? undefined : session.room.value.standings.get(me);
}

export function servedQuality(session: Session): Quality {
  return withStanding(blamed(session.quality.value, session.room.value.quality), ownStanding(session));
}

/** Understood in two seconds: whose trouble it is, and what is left. */
export function LinkSentence({ session }: { session: Session }) {
  const told = ownStanding(session);
  const t = words.value.standing;
  return (
    <p class="link-sentence" role="status" aria-live="assertive" data-step={told?.step ?? "full"}>
      {told && (
        <>
          <Icon name={told.step === "sound" ? "speaker" : "warning"} />
          <strong>{t.sentence(troubleOf(session, told.cause ?? "link"), t.left[told.step])}</strong>
        </>
      )}
    </p>
  );
}

function troubleOf(session: Session, cause: TroubleCause): string {
  const { standing, roles } = words.value;
  const sender = cause === "publisher" ? weakUploader(session.room.value) : undefined;
  if (sender === undefined || sender.role === "surgeon" || sender.role === "staff") return standing.trouble[cause];
  return standing.uploadOf(sender.name === "" ? roles[sender.role] : sender.name);
}

/** The quality in the header; opened, it shows the way from each source to this screen. */
export function LinkQuality({ session }: { session: Session }) {
  const t = words.value;
  const told = session.room.value.quality;
  if (told === null) return <QualityView quality={servedQuality(session)} label={t.bar.link} />;
  return (
    <details class="legs">
      <summary><QualityView quality={servedQuality(session)} label={t.bar.link} /></summary>
      <div class="legs-panel">
        <h2>{t.legs.title}</h2>
        <ul>
          {told.sources.map((source) => {
            const publication = session.room.value.publications.get(source.publication);
            if (publication === undefined) return null;
            return (
              <li key={source.publication}>
                <Leg level={levelOfLoss(source.upload_loss)} name={t.legs.upload(publication.label)}>
                  {t.legs.loss(source.upload_loss * 100)}, {t.legs.jitter(source.upload_jitter_ms)}
                </Leg>
                <p class="leg-served">
                  {sentOf(source.layer, publication)}
                  {source.still_seconds !== null && <>, {t.legs.still(source.still_seconds)}</>}
                  {": "}{t.reasons[source.reason]}
                </p>
              </li>
            );
          })}
          <li>
            <Leg level={levelOf(told.step, told.loss)} name={t.legs.download}>
              {told.estimate_kbit !== null && <>{t.legs.carries(told.estimate_kbit, told.sent_kbit)}, </>}
              {t.legs.loss(told.loss * 100)}
              {told.rtt_ms !== null && <>, {t.legs.roundTrip(told.rtt_ms)}</>}
              {told.jitter_ms !== null && <>, {t.legs.jitter(told.jitter_ms)}</>}
              , {t.legs.repair(told.repair_overhead * 100)}
            </Leg>
          </li>
        </ul>
      </div>
    </details>
  );
}

/** What arrives of a source: a size of its picture, its sound, or nothing. */
function sentOf(layer: number | null, { kind, encodings }: Publication): string {
  const t = words.value.legs;
  if (kind === "audio") return layer === null ? t.noSound : t.sound;
  return layer === null ? t.nothing : t.layer(layer + 1, encodings);
}

function Leg({ level, name, children }: { level: Level; name: string; children: ComponentChildren }) {
  return (
    <p class="leg quality" data-level={level}>
      <Bars level={level} />
      <span><strong>{name}: {words.value.levels[level]}</strong><small>{children}</small></span>
    </p>
  );
}

function levelOf(step: Step, loss: number): Level {
  if (step === "silent") return "lost";
  if (step === "stills" || step === "sound") return "poor";
  return step === "reduced" ? "fair" : levelOfLoss(loss);
}

/** Says once, in the quiet line, when somebody else has no moving picture any more, or has it again. */
export function useStandingNews(session: Session): void {
  const said = useRef<ReadonlyMap<string, Standing>>(new Map());
  const standings = session.room.value.standings;
  useEffect(() => {
    const t = words.value;
    for (const [id, news] of standingNews(said.current, standings)) {
      const person = session.room.value.participants.get(id);
      if (person === undefined || id === session.me.value?.participant) continue;
      const what = news === "again" ? t.standing.again : t.standing.theirs[news];
      notice(t.standing.news(person.name === "" ? t.roles[person.role] : person.name, what));
    }
    said.current = standings;
  }, [standings]);
}
