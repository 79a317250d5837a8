/** The pictures of a recording, side by side or one large; each says what it is and when there is nothing to see. */
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { words } from "../i18n";
import { Icon, iconOf } from "../ui/icons";
import { Button } from "../ui/parts";
import { clockText } from "./model";
import type { Track } from "./model";
import type { Player } from "./player";

/** The track shown large, or none. */
export const pinnedTrack = signal<string | null>(null);

export function nameOf(track: Track): string {
  return track.label === "" ? words.value.sourceTypes[track.source_type] : track.label;
}

export function Stage({ player }: { player: Player }) {
  const cameras = player.detail.tracks.filter((track) => track.kind === "video");
  const voices = player.detail.tracks.filter((track) => track.kind === "audio");
  const staged = cameras.some((track) => track.id === pinnedTrack.value);
  return (
    <section class="pictures">
      <div class={`grid${staged ? " staged" : ""}`} data-count={Math.min(9, cameras.length)}>
        {cameras.map((track) => <Camera key={track.id} player={player} track={track} only={cameras.length === 1} />)}
      </div>
      {voices.map((track) => <Voice key={track.id} player={player} track={track} />)}
    </section>
  );
}

/** Two elements under the player's hand for as long as they are on the page. */
function useLane(player: Player, track: Track) {
  const first = useRef<HTMLVideoElement>(null);
  const second = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    if (first.current === null || second.current === null) return undefined;
    return player.attach(track, [first.current, second.current]);
  }, [player, track]);
  return [first, second] as const;
}

function Camera({ player, track, only }: { player: Player; track: Track; only: boolean }) {
  const t = words.value.review;
  const [first, second] = useLane(player, track);
  const state = player.states.value.get(track.id);
  const pinned = pinnedTrack.value === track.id;
  const name = nameOf(track);
  return (
    <figure class={`tile${pinned ? " pinned" : ""}`} data-track={track.id} data-state={state?.kind ?? "waiting"}>
      {[first, second].map((ref, index) => <video key={index} ref={ref} playsInline muted aria-label={name} />)}
      <figcaption>
        <span class="tile-label"><Icon name={iconOf(track.source_type)} /> {name}</span>
      </figcaption>
      {state?.kind === "gap" && (
        <div class="cover solid" role="status">
          <strong>{t.noPicture}</strong>
          <span>{t.gapReasons[state.gap.reason] ?? state.gap.reason}</span>
          <span>{clockText(state.gap.start)} – {clockText(state.gap.end)}</span>
        </div>
      )}
      {state?.kind === "waiting" && <div class="cover"><span class="spinner" /> {t.waiting}</div>}
      {!only && (
        <div class="tile-actions">
          <Button
            icon={pinned ? "unpin" : "pin"} word={pinned ? t.unpin : t.pin(name)} compact
            onPress={() => (pinnedTrack.value = pinned ? null : track.id)}
          />
        </div>
      )}
    </figure>
  );
}

function Voice({ player, track }: { player: Player; track: Track }) {
  const [first, second] = useLane(player, track);
  const label = nameOf(track);
  return (
    <div class="visually-hidden">
      {[first, second].map((ref, index) => <video key={index} ref={ref} aria-label={label} />)}
    </div>
  );
}
