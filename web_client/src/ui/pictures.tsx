/** All pictures of the room: a grid, or one enlarged with the rest beside it; some may be hidden. */
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import type { FreshnessLimits } from "../client/freshness";
import type { Publication } from "../client/room";
import type { Session } from "../client/session";
import type { SourceType } from "../client/protocol";
import { words } from "../i18n";
import { Button } from "./parts";
import { Tile } from "./tile";

export const pinned = signal<string | null>(null);
const hidden = signal<ReadonlySet<string>>(new Set());

const RANK: readonly SourceType[] = ["endoscope", "overhead", "ultrasound", "monitor", "room", "other", "microphone"];

/** Others' pictures, the operating field first, and stable in between so that keys 1-9 keep their meaning. */
export function pictures(session: Session): Publication[] {
  return session.others()
    .filter((p) => p.kind === "video")
    .sort((a, b) => RANK.indexOf(a.source_type) - RANK.indexOf(b.source_type) || (a.id < b.id ? -1 : 1));
}

export function pinNumber(session: Session, index: number): void {
  const publication = pictures(session).filter((p) => !hidden.value.has(p.id))[index];
  if (publication !== undefined) pinned.value = publication.id;
}

function setHidden(session: Session, id: string, hide: boolean): void {
  const next = new Set(hidden.value);
  if (hide) next.add(id);
  else next.delete(id);
  hidden.value = next;
  if (hide && pinned.value === id) pinned.value = null;
  session.prefer(id, { paused: hide }).catch(() => undefined);
}

interface PicturesProps {
  session: Session;
  limits: FreshnessLimits;
  canHide: boolean;
  empty: ComponentChildren;
}

export function Pictures({ session, limits, canHide, empty }: PicturesProps) {
  const all = pictures(session);
  const away = all.filter((p) => hidden.value.has(p.id));
  const present = all.filter((p) => !hidden.value.has(p.id));
  const big = present.find((p) => p.id === pinned.value);
  const tile = (p: Publication) => (
    <Tile
      key={p.id} session={session} publication={p} limits={limits} pinned={p === big}
      onPin={() => (pinned.value = p === big ? null : p.id)}
      onHide={canHide ? () => setHidden(session, p.id, true) : undefined}
    />
  );
  // One list in one parent, whatever is enlarged: moving a video element in the page would interrupt its picture.
  return (
    <div class="pictures">
      {present.length === 0 && <div class="empty">{empty}</div>}
      <div class={big === undefined ? "grid" : "grid staged"} data-count={Math.min(present.length, 9)}>
        {present.map(tile)}
      </div>
      {away.length > 0 && (
        <div class="hidden-list">
          {away.map((p) => (
            <Button
              key={p.id} icon="show" word={`${words.value.tile.show}: ${p.label}`}
              onPress={() => setHidden(session, p.id, false)}
            />
          ))}
        </div>
      )}
    </div>
  );
}
