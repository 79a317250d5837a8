/** Where in the recording we are: one slider, and for every track what there is, what is missing and how it arrived. */
import { signal } from "@preact/signals";
import { words } from "../i18n";
import { recall, remember } from "../client/remembered";
import { Button } from "../ui/parts";
import { clockText, gapsOf, receptionOf } from "./model";
import type { Reception, Track } from "./model";
import { hasPicture } from "./player";
import type { Player } from "./player";
import { nameOf, pinnedTrack } from "./stage";

/** Off until asked for: pictures of a patient are shown where they are needed only. */
const thumbnailsOn = signal(recall("thumbnails") === "on");
const THUMBNAILS = 12;
const STEP_SECONDS = 1;

export const share = (seconds: number, all: number): string => `${(100 * seconds) / Math.max(0.001, all)}%`;

export function Timeline({ player }: { player: Player }) {
  const t = words.value.review;
  const { detail } = player;
  const at = player.position.value;
  const all = detail.seconds;
  const toggle = (): void => {
    thumbnailsOn.value = !thumbnailsOn.value;
    remember("thumbnails", thumbnailsOn.value ? "on" : "off");
  };
  return (
    <section class="timeline" aria-label={t.timeline}>
      {thumbnailsOn.value && <Filmstrip player={player} />}
      <div class="scrubber">
        <input
          type="range" min={0} max={all} step={STEP_SECONDS} value={at} aria-label={t.position}
          aria-valuetext={t.of(clockText(at), clockText(all))}
          onInput={(event) => player.seek(Number(event.currentTarget.value))}
        />
        <div class="ticks" aria-hidden="true">
          {detail.bookmarks.map((one) => <i key={one.id} class={one.live ? "live" : ""} style={{ left: share(one.seconds, all) }} />)}
        </div>
      </div>
      <ul class="strips">
        {detail.tracks.map((track) => <Strip key={track.id} track={track} all={all} at={at} />)}
      </ul>
      <Button
        icon={thumbnailsOn.value ? "hide" : "show"} word={t.thumbnails} pressed={thumbnailsOn.value}
        tone={thumbnailsOn.value ? "on" : "plain"} onPress={toggle}
      />
    </section>
  );
}

function Strip({ track, all, at }: { track: Track; all: number; at: number }) {
  const t = words.value.review;
  const received = receptionOf(track);
  const now = received.find((one) => one.start <= at && at < one.end);
  return (
    <li>
      <span class="strip-name">{nameOf(track)}</span>
      <span class="strip" aria-hidden="true">
        {received.map((one) => (
          <i
            key={one.start} class="received" data-level={one.level} title={receptionWords(one)}
            style={{ left: share(one.start, all), width: share(one.end - one.start, all) }}
          />
        ))}
        {gapsOf(track, all).map((gap) => (
          <i
            key={`gap${gap.start}`} class="gap" title={t.gapReasons[gap.reason] ?? gap.reason}
            style={{ left: share(gap.start, all), width: share(gap.end - gap.start, all) }}
          />
        ))}
        <i class="head" style={{ left: share(at, all) }} />
      </span>
      <small class="strip-word">{now === undefined ? (track.kind === "video" ? t.noPicture : t.noSound) : receptionWords(now)}</small>
    </li>
  );
}

function receptionWords(one: Reception): string {
  const t = words.value.review;
  const size = one.dimensions === null ? "" : one.dimensions.join("×");
  return `${t.levels[one.level]}: ${t.qualityOf(one.lostShare, size)}`;
}

function Filmstrip({ player }: { player: Player }) {
  const { detail } = player;
  const cameras = detail.tracks.filter((track) => track.kind === "video");
  const camera = cameras.find((track) => track.id === pinnedTrack.value) ?? cameras[0];
  if (camera === undefined) return null;
  const moments = Array.from({ length: THUMBNAILS }, (_, index) => Math.floor(((index + 0.5) * detail.seconds) / THUMBNAILS));
  return (
    <div class="filmstrip">
      {moments.map((seconds, index) => (
        <button key={index} type="button" onClick={() => player.seek(seconds)} aria-label={words.value.review.goTo(clockText(seconds))}>
          {hasPicture(camera, seconds)
            ? <img src={player.view.thumbnail(camera.id, seconds)} alt="" loading="lazy" />
            : <span class="no-thumbnail" />}
          <small aria-hidden="true">{clockText(seconds)}</small>
        </button>
      ))}
    </div>
  );
}
