/** One picture: what it is, whose it is, and whether it is now. Never mirrored, never enhanced. */
import { useEffect, useRef } from "preact/hooks";
import type { RefObject } from "preact";
import type { Freshness, FreshnessLimits } from "../client/freshness";
import { layerForHeight } from "../client/profiles";
import { servedOf } from "../client/room";
import type { Publication } from "../client/room";
import { servedState } from "../client/served";
import type { Served } from "../client/served";
import type { Session } from "../client/session";
import { words } from "../i18n";
import { Icon, iconOf } from "./icons";
import { Button } from "./parts";
import { useFreshness } from "./watch";

/** A size that lasts this long is a choice, not a drag of the window's edge. */
const SETTLED_MS = 800;
/** A subscribed source without a first frame for so long is not just slow to start. */
const STALLED_MS = 8_000;

interface TileProps {
  session: Session;
  publication: Publication;
  limits: FreshnessLimits;
  pinned: boolean;
  onPin: () => void;
  onHide?: () => void;
}

export function Tile({ session, publication, limits, pinned, onPin, onHide }: TileProps) {
  const figure = useRef<HTMLElement>(null);
  const video = useRef<HTMLVideoElement>(null);
  const track = session.tracks.value.get(publication.id);
  const freshness = useFreshness(video, publication, limits, track).value;
  useTrack(video, track);
  useLayerWish(session, publication, figure, video);
  useEffect(() => {
    session.prefer(publication.id, { pinned }).catch(() => undefined);
  }, [publication.id, pinned]);
  const served = servedState(servedOf(session.room.value, publication.id), freshness);
  const t = words.value;
  const person = session.room.value.participants.get(publication.participant);
  const state = publication.muted ? "muted" : served?.kind ?? freshness.kind;
  return (
    <figure class={`tile${pinned ? " pinned" : ""}`} data-state={state} data-publication={publication.id} ref={figure}>
      <video ref={video} autoplay muted playsInline aria-label={publication.label} />
      <Cover publication={publication} freshness={freshness} served={served} />
      <figcaption>
        <span class="tile-label">
          <Icon name={iconOf(publication.source_type)} />
          <span>
            <strong>{publication.label}</strong>
            {person && person.name !== "" && <small> {t.tile.from(person.name)}</small>}
          </span>
        </span>
        <StateBadge publication={publication} freshness={freshness} served={served} />
      </figcaption>
      {publication.source_type === "monitor" && <p class="tile-note">{t.tile.monitorNote}</p>}
      <div class="tile-actions">
        <Button compact icon={pinned ? "unpin" : "pin"} word={pinned ? t.tile.unpin : t.tile.pin} onPress={onPin} />
        <Button compact icon="full" word={t.tile.fullScreen} onPress={() => void fullScreen(figure.current)} />
        {onHide && <Button compact icon="hide" word={t.tile.hide} onPress={onHide} />}
      </div>
    </figure>
  );
}

interface StateProps {
  publication: Publication;
  freshness: Freshness;
  served: Served | undefined;
}

function StateBadge({ publication, freshness, served }: StateProps) {
  const t = words.value;
  if (publication.muted) return <span class="badge"><Icon name="pause" /> {t.tile.muted}</span>;
  if (served?.kind === "withheld") return null;
  if (served?.kind === "still") {
    return <span class="badge late"><Icon name="late" /> {t.tile.still(Math.floor(served.ageMs / 1_000))}</span>;
  }
  switch (freshness.kind) {
    case "live":
      return <span class="badge live"><Icon name="live" /> {t.tile.live}</span>;
    case "late":
      return <span class="badge late"><Icon name="late" /> {t.tile.late(freshness.ageMs / 1_000)}</span>;
    case "frozen":
      return <span class="badge frozen"><Icon name="frozen" /> {t.tile.frozen}</span>;
    case "waiting":
      return null;
  }
}

/** What lies over a picture that must not be taken for the present. */
function Cover({ publication, freshness, served }: StateProps) {
  const t = words.value;
  if (publication.muted) {
    return <div class="cover solid"><Icon name="pause" /><strong>{t.tile.muted}</strong></div>;
  }
  if (served?.kind === "withheld") {
    return <div class="cover solid withheld"><Icon name="speaker" /><strong>{t.tile.withheld}</strong></div>;
  }
  if (served?.kind === "still") return null;
  if (freshness.kind === "waiting") {
    const stalled = publication.silent_ms > STALLED_MS;
    return <div class="cover solid"><span class="spinner" /><span>{stalled ? t.tile.stalled : t.tile.waiting}</span></div>;
  }
  if (freshness.kind !== "frozen") return null;
  const seconds = Math.floor(freshness.ageMs / 1_000);
  return (
    <div class="cover frozen">
      <strong role="alert">{t.tile.frozen}</strong>
      {/* Spoken once, not every second. */}
      <span aria-hidden="true">– {seconds >= 1 ? t.tile.ago(seconds) : t.tile.recovering}</span>
    </div>
  );
}

function useTrack(video: RefObject<HTMLVideoElement | null>, track: MediaStreamTrack | undefined): void {
  useEffect(() => {
    const element = video.current;
    if (element === null) return;
    element.srcObject = track === undefined ? null : new MediaStream([track]);
    // Muted pictures may always play; a refusal means the element went away meanwhile.
    if (track !== undefined) element.play().catch(() => undefined);
  }, [track]);
}

/** Asks for no more than is shown: a small tile gets a small layer, a pinned one the best. */
function useLayerWish(
  session: Session, publication: Publication, figure: RefObject<HTMLElement | null>, video: RefObject<HTMLVideoElement | null>,
): void {
  const latest = useRef(publication);
  latest.current = publication;
  useEffect(() => {
    const element = figure.current;
    if (element === null) return undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const settle = (): void => {
      const { encodings, forwarded, id } = latest.current;
      const height = video.current?.videoHeight ?? 0;
      if (forwarded === undefined || forwarded === null || height === 0) return;
      const shown = (video.current?.clientHeight ?? 0) * Math.min(2, window.devicePixelRatio);
      // Of all that there are, not of those that flow: what nobody wishes for does not flow.
      const layers = Array.from({ length: encodings }, (_, layer) => layer);
      const layer = layerForHeight(shown, height * 2 ** (encodings - 1 - forwarded), layers);
      session.prefer(id, { layer }).catch(() => undefined);
    };
    const resized = (): void => {
      clearTimeout(timer);
      timer = setTimeout(settle, SETTLED_MS);
    };
    const observer = new ResizeObserver(resized);
    observer.observe(element);
    video.current?.addEventListener("resize", resized);
    return () => {
      observer.disconnect();
      clearTimeout(timer);
    };
  }, [publication.id]);
}

export async function fullScreen(element: HTMLElement | null): Promise<void> {
  try {
    if (document.fullscreenElement !== null) await document.exitFullscreen();
    else await element?.requestFullscreen();
  } catch {
    // Not offered (iPhone) or refused: the pinned size is the best there is.
  }
}
