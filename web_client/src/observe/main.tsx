/** The observer's page: watch and listen. No device is ever asked for. */
import "../ui/style.css";
import { WATCHING } from "../client/freshness";
import type { Session } from "../client/session";
import { words } from "../i18n";
import { open } from "../lobby/entry";
import type { LobbyProps } from "../lobby/entry";
import { Pictures, pinned, pinNumber } from "../ui/pictures";
import { Shell, standing, useWakeLock } from "../ui/shell";
import { ShortcutSheet, useShortcuts } from "../ui/shortcuts";
import type { Shortcut } from "../ui/shortcuts";
import { RemoteSound, SoundButton, SoundGate, soundOn } from "../ui/sound";
import { fullScreen } from "../ui/tile";
import { someMoving } from "../ui/watch";

function Lobby({ join }: LobbyProps) {
  const t = words.value.lobby;
  return (
    <>
      <p class="hint">{t.watchOnly}</p>
      <button type="button" class="button main big" onClick={() => join()}>{t.join}</button>
    </>
  );
}

function shortcuts(session: Session): Shortcut[] {
  const t = words.value.keys;
  return [
    { key: "m", says: t.speaker, press: () => (soundOn.value = !soundOn.value) },
    { key: "1-9", says: t.pin, press: (digit) => pinNumber(session, digit - 1) },
    { key: "escape", says: t.unpin, press: () => (pinned.value = null) },
    {
      key: "f", says: t.full,
      press: () => void fullScreen(document.querySelector(".tile.pinned") ?? document.querySelector(".tile")),
    },
  ];
}

function Room({ session }: { session: Session }) {
  useWakeLock();
  useShortcuts(() => shortcuts(session));
  const t = words.value;
  const live = someMoving.value && standing(session) === "connected";
  return (
    <Shell session={session} page="observe" live={live} liveWords={t.phase.live}>
      <main class="watch-main">
        <Pictures
          session={session} limits={WATCHING} canHide
          empty={<><strong>{t.consult.empty}</strong><p>{t.consult.emptyHelp}</p></>}
        />
      </main>
      <footer class="controls"><SoundButton /></footer>
      <RemoteSound session={session} />
      <SoundGate />
      <ShortcutSheet shortcuts={shortcuts(session)} />
    </Shell>
  );
}

open({ page: "observe", lobby: (props) => <Lobby {...props} />, room: (props) => <Room {...props} /> });
