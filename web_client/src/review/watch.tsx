/** One recording open: pictures, timeline, controls, bookmarks, exports; the same by keyboard. */
import { signal } from "@preact/signals";
import type { Signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { words } from "../i18n";
import { Icon } from "../ui/icons";
import { notice, Notices } from "../ui/notices";
import { Button } from "../ui/parts";
import { sheetOpen, ShortcutSheet, useShortcuts } from "../ui/shortcuts";
import type { Shortcut } from "../ui/shortcuts";
import type { ReviewApi } from "./api";
import { Bookmarks, startNaming } from "./bookmarks";
import { SPEEDS } from "./clock";
import { Exports } from "./exports";
import { chaptersOf, clockText, momentFragment } from "./model";
import type { Detail, Track } from "./model";
import { Player } from "./player";
import { Reception } from "./reception";
import { pinnedTrack, Stage } from "./stage";
import { Timeline } from "./timeline";
import { View } from "./view";

const SKIP_SECONDS = 10;

declare global {
  interface Window {
    /** For tests and support: how far apart the tracks are. */
    loupeReview?: { player: Player };
  }
}

interface Opened {
  opened: Detail;
  seconds: number;
  api: ReviewApi;
  /** It may not be watched any more, and why. */
  lost: (code: string) => void;
}

export function Watch({ opened, seconds, api, lost }: Opened) {
  const player = useMemo(() => new Player(opened, seconds, new View(api, opened, lost)), [opened]);
  const detail = useMemo(() => signal(opened), [opened]);
  useEffect(() => {
    window.loupeReview = { player };
    const leave = (): void => player.view.close();
    window.addEventListener("pagehide", leave);
    return () => {
      window.removeEventListener("pagehide", leave);
      delete window.loupeReview;
      pinnedTrack.value = null;
      player.close();
    };
  }, [player]);
  useShortcuts(() => shortcuts(player, detail));
  const { evidence } = words.value.review;
  return (
    <>
      <Notices />
      {!opened.verified && <p class="evidence fault" role="alert"><Icon name="warning" /> {evidence.altered}</p>}
      <main class="review-main">
        <div class="screen">
          <Stage player={player} />
          <Controls player={player} />
          <Timeline player={player} />
          <Reception player={player} api={api} />
        </div>
        <div class="side">
          {opened.verified && <p class="evidence"><span class="badge given"><Icon name="check" /> {evidence.verified}</span></p>}
          <p class="quiet">{words.value.review.use.watchedFor(words.value.review.use.uses[player.detail.use])}</p>
          <Bookmarks player={player} detail={detail} api={api} />
          {opened.rights.includes("export") && <Exports player={player} api={api} />}
        </div>
      </main>
      <ShortcutSheet shortcuts={shortcuts(player, detail)} />
    </>
  );
}

function Controls({ player }: { player: Player }) {
  const t = words.value.review;
  const at = player.position.value;
  const playing = player.playing.value;
  return (
    <div class="controls">
      <p class="clock">
        <strong>{clockText(at, true, t.mark)}</strong> / {clockText(player.detail.seconds)} · {t.time(player.detail.entry.started_ms + at * 1000)}
      </p>
      <Button icon="back" word={t.back10} onPress={() => player.skip(-SKIP_SECONDS)} />
      <Button icon="frameBack" word={t.frameBack} onPress={() => player.step(-1, lookedAt(player))} />
      <Button icon={playing ? "pause" : "play"} tone="main" word={playing ? t.pause : t.play} onPress={() => player.toggle()} />
      <Button icon="frameOn" word={t.frameOn} onPress={() => player.step(1, lookedAt(player))} />
      <Button icon="on" word={t.on10} onPress={() => player.skip(SKIP_SECONDS)} />
      <div class="field speed">
        <label for="speed">{t.speed}</label>
        <select id="speed" value={String(player.speed.value)} onChange={(event) => player.setSpeed(Number(event.currentTarget.value))}>
          {SPEEDS.map((speed) => <option key={speed} value={String(speed)}>{t.speedOf(speed)}</option>)}
        </select>
      </div>
      <Button
        icon={player.soundOn.value ? "speaker" : "speakerOff"} word={player.soundOn.value ? t.soundOff : t.soundOn}
        pressed={player.soundOn.value} onPress={() => player.toggleSound()}
      />
      <Button icon="link" word={t.link} onPress={() => void copyLink(player)} />
      <Button icon="keyboard" word={words.value.bar.help} hint="?" onPress={() => (sheetOpen.value = !sheetOpen.value)} />
    </div>
  );
}

async function copyLink(player: Player): Promise<void> {
  const fragment = momentFragment(player.detail.entry.id, player.position.value);
  window.history.replaceState(null, "", window.location.pathname + fragment);
  try {
    await navigator.clipboard.writeText(window.location.href);
    notice(words.value.review.linkCopied);
  } catch {
    notice(words.value.review.linkFailed);
  }
}

function toChapter(player: Player, detail: Detail, direction: 1 | -1): void {
  const at = player.position.value;
  const moments = chaptersOf(detail).map((one) => one.seconds);
  const next = direction > 0 ? moments.find((one) => one > at + 0.5) : [...moments].reverse().find((one) => one < at - 0.5);
  if (next !== undefined) player.seek(next);
}

function shortcuts(player: Player, detail: Signal<Detail>): Shortcut[] {
  const t = words.value.review.keys;
  return [
    { key: " ", says: t.play, press: () => player.toggle() },
    { key: "j", says: t.seek, press: () => player.skip(-SKIP_SECONDS) },
    { key: "l", says: t.seek, press: () => player.skip(SKIP_SECONDS) },
    { key: ",", says: t.frame, press: () => player.step(-1, lookedAt(player)) },
    { key: ".", says: t.frame, press: () => player.step(1, lookedAt(player)) },
    { key: "-", says: t.speed, press: () => player.slower() },
    { key: "+", says: t.speed, press: () => player.faster() },
    { key: "b", says: t.bookmark, press: () => startNaming(player) },
    { key: "p", says: t.chapters, press: () => toChapter(player, detail.value, -1) },
    { key: "n", says: t.chapters, press: () => toChapter(player, detail.value, 1) },
    { key: "m", says: t.sound, press: () => player.toggleSound() },
    { key: "c", says: t.link, press: () => void copyLink(player) },
    { key: "1-9", says: words.value.keys.pin, press: (digit) => pinNumber(player, digit - 1) },
    { key: "escape", says: words.value.keys.unpin, press: () => (pinnedTrack.value = null) },
  ];
}

/** The camera whose frames are stepped through: the pinned one, or the first. */
function lookedAt(player: Player): Track | undefined {
  const cameras = player.detail.tracks.filter((track) => track.kind === "video");
  return cameras.find((track) => track.id === pinnedTrack.value) ?? cameras[0];
}

function pinNumber(player: Player, index: number): void {
  const camera = player.detail.tracks.filter((track) => track.kind === "video")[index];
  if (camera !== undefined) pinnedTrack.value = pinnedTrack.value === camera.id ? null : camera.id;
}
