/** One track in words, with what an operator may do about it. */
import { words } from "../i18n";
import { Icon, iconOf } from "../ui/icons";
import { Button } from "../ui/parts";
import { ask } from "./confirm";
import type { SourceSample, ViewSample } from "./model.generated";
import { selected, select } from "./place";

interface LineProps {
  room: string;
  participant: string;
}

/** Simulcast as negotiated has four layers at most; more than flow now can be limited for later. */
const LAYERS = [0, 1, 2, 3];

interface SourceLineProps extends LineProps {
  source: SourceSample;
  /** Since the probe last looked at its picture; null where it did not. */
  lookedSeconds: number | null;
  /** The server lets operators have one picture. */
  thumbnails: boolean;
}

export function SourceLine({ room, participant, source, lookedSeconds, thumbnails }: SourceLineProps) {
  const t = words.value.operations;
  const name = words.value.sourceTypes[source.source_type];
  const { publication } = source;
  const layers = source.layers?.length ? source.layers.join(", ") : t.none;
  const muted = source.muted ?? false;
  const limit = (event: Event): void => {
    const field = event.currentTarget as HTMLSelectElement;
    const layer = field.value === "" ? null : Number(field.value);
    ask({ kind: "limit", room, publication, layer }, t.confirm.limit(name, layer === null ? t.actions.unlimited : t.actions.level(layer)));
  };
  return (
    <li>
      <TrackButton room={room} participant={participant} publication={publication}>
        <Icon name={iconOf(source.source_type)} /> {name}
      </TrackButton>
      <span>{t.track(layers, source.bits_per_second ?? 0, source.frames_per_second ?? null)}</span>
      {source.picture != null && <strong class="advice">{t.pictures[source.picture]}</strong>}
      {lookedSeconds !== null && <small>{t.looked(lookedSeconds)}</small>}
      <div class="actions">
        {source.kind === "video" && (
          <>
            <Button icon="frozen" word={t.actions.keyframe} onPress={() => ask({ kind: "keyframe", room, publication }, t.confirm.keyframe(name))} />
            {thumbnails && (
              <Button icon="show" word={t.actions.thumbnail} onPress={() => ask({ kind: "thumbnail", room, publication }, t.confirm.thumbnail(name), name)} />
            )}
            <label class="limit">
              {t.actions.limit}
              <select value={source.top_layer ?? ""} onChange={limit}>
                <option value="">{t.actions.unlimited}</option>
                {LAYERS.map((layer) => <option key={layer} value={layer}>{t.actions.level(layer)}</option>)}
              </select>
            </label>
          </>
        )}
        <Button
          icon={muted ? "play" : "pause"} word={muted ? t.actions.unmute : t.actions.mute}
          onPress={() =>
            ask({ kind: "mute", room, publication, muted: !muted }, muted ? t.confirm.unmute(name) : t.confirm.mute(name))}
        />
      </div>
    </li>
  );
}

export function ViewLine({ room, participant, view }: LineProps & { view: ViewSample }) {
  const t = words.value.operations;
  return (
    <li>
      <TrackButton room={room} participant={participant} publication={view.publication}>
        {view.kind === "video" ? <Icon name="show" /> : <Icon name="speaker" />} {view.publication.slice(0, 6)}
      </TrackButton>
      <span>
        {t.views[view.state]}; {t.track(String(view.layer ?? t.none), view.bits_per_second ?? 0, view.frames_per_second ?? null)}
        {view.reason != null && <>: {t.viewReasons[view.reason]}</>}
      </span>
    </li>
  );
}

interface TrackButtonProps extends LineProps {
  publication: string;
  children: preact.ComponentChildren;
}

function TrackButton({ room, participant, publication, children }: TrackButtonProps) {
  const open = selected.value.publication === publication;
  return (
    <button
      type="button" class="button" aria-pressed={open}
      onClick={() => select({ room, participant, publication: open ? null : publication })}
    >
      {children}
    </button>
  );
}
