/** The consultant's page: see all sources or one, talk, write. */
import { useEffect } from "preact/hooks";
import "../ui/style.css";
import { ACTING } from "../client/freshness";
import type { Session } from "../client/session";
import { words } from "../i18n";
import { open } from "../lobby/entry";
import type { LobbyProps } from "../lobby/entry";
import { HOME } from "../lobby/places";
import { Chat, ChatButton, chatOpen, toggleChat } from "../ui/chat";
import { Meter } from "../ui/meter";
import { MarkButton, markShortcut } from "../ui/mark";
import { useDeviceNews } from "../ui/notices";
import { Button } from "../ui/parts";
import { People } from "../ui/people";
import { Pictures, pinned, pinNumber } from "../ui/pictures";
import { DeviceFaultCard, DeviceSelect, Preview } from "../ui/picker";
import { Shell, standing, useLeaveGuard, useWakeLock } from "../ui/shell";
import { ShortcutSheet, useShortcuts } from "../ui/shortcuts";
import type { Shortcut } from "../ui/shortcuts";
import { RemoteSound, SoundButton, SoundGate } from "../ui/sound";
import { fullScreen } from "../ui/tile";
import { someMoving } from "../ui/watch";
import {
  camera, cameraWanted, held, microphone, pictureOf, sendPrepared, setCamera, setMicrophone, talk, talkEnded, voiceOf,
} from "./voice";

function Lobby({ admission, join }: LobbyProps) {
  const t = words.value.lobby;
  const mayShow = admission.role !== "moderator" && HOME[admission.role] !== null;
  useEffect(() => void microphone.open(), []);
  const toggle = (): void => {
    cameraWanted.value = !cameraWanted.value;
    if (cameraWanted.value) void camera.open();
    else camera.close();
  };
  const track = microphone.track;
  const asking = microphone.busy.value || camera.busy.value;
  return (
    <>
      {asking && <p class="hint" role="status">{t.allow}</p>}
      <DeviceSelect capture={microphone} kind="audio" />
      {track && <Meter track={track} talkHint />}
      <DeviceFaultCard capture={microphone} />
      {mayShow && (
        <Button
          icon={cameraWanted.value ? "camera" : "cameraOff"} word={t.cameraOn} pressed={cameraWanted.value} onPress={toggle}
          tone={cameraWanted.value ? "on" : "plain"}
        />
      )}
      {cameraWanted.value && (
        <>
          <Preview track={camera.track} label={t.camera} />
          <DeviceSelect capture={camera} kind="video" />
          <DeviceFaultCard capture={camera} />
        </>
      )}
      <button type="button" class="button main big" onClick={() => join((session) => void sendPrepared(session))}>
        {microphone.fault.value === null ? t.join : t.withoutDevices}
      </button>
    </>
  );
}

function shortcuts(session: Session): Shortcut[] {
  const t = words.value.keys;
  const full = (): void => void fullScreen(document.querySelector(".tile.pinned") ?? document.querySelector(".tile"));
  return [
    { key: " ", says: t.talk, press: () => talk(session), release: () => talkEnded(session) },
    { key: "m", says: t.mute, press: () => void setMicrophone(session, voiceOf(session)?.muted.value ?? true) },
    { key: "v", says: t.camera, press: () => void setCamera(session, pictureOf(session) === undefined) },
    { key: "1-9", says: t.pin, press: (digit) => pinNumber(session, digit - 1) },
    { key: "escape", says: t.unpin, press: () => (pinned.value = null) },
    { key: "f", says: t.full, press: full },
    { key: "c", says: t.chat, press: toggleChat },
    markShortcut(session),
  ];
}

function MicrophoneButton({ session }: { session: Session }) {
  const t = words.value.consult;
  const voice = voiceOf(session);
  const on = voice !== undefined && !voice.muted.value;
  return (
    <div class="talk">
      <Button
        icon={on ? "microphone" : "microphoneOff"} word={on ? t.mute : t.talk} tone={on ? "on" : "danger"} pressed={on}
        onPress={() => void setMicrophone(session, !on)}
      />
      <p class="talk-state" role="status">
        {voice === undefined ? t.noMicrophone : on ? t.talking : `${t.muted}. ${t.holdToTalk}`}
      </p>
      {on && <Meter track={voice.track} />}
    </div>
  );
}

function Room({ session }: { session: Session }) {
  useWakeLock();
  useLeaveGuard(() => session.sending.value.length > 0);
  useDeviceNews();
  useShortcuts(() => shortcuts(session));
  useEffect(() => () => {
    microphone.close();
    camera.close();
    held.value = false;
  }, []);
  const t = words.value;
  const live = someMoving.value && standing(session) === "connected";
  const showing = pictureOf(session) !== undefined;
  return (
    <Shell session={session} page="consult" live={live} liveWords={t.phase.live}>
      <main class={`watch-main${chatOpen.value ? " with-side" : ""}`}>
        <Pictures
          session={session} limits={ACTING} canHide
          empty={<><strong>{t.consult.empty}</strong><p>{t.consult.emptyHelp}</p></>}
        />
        <div class="side">
          {chatOpen.value && <Chat session={session} />}
          <People session={session} />
        </div>
      </main>
      <footer class="controls">
        {session.may("publish_audio") && <MicrophoneButton session={session} />}
        {session.may("publish_video") && (
          <Button
            icon={showing ? "camera" : "cameraOff"} word={showing ? t.consult.cameraOff : t.consult.cameraOn}
            tone={showing ? "on" : "plain"} pressed={showing} onPress={() => void setCamera(session, !showing)}
          />
        )}
        <SoundButton />
        <MarkButton session={session} />
        <ChatButton session={session} />
      </footer>
      <RemoteSound session={session} />
      <SoundGate />
      <ShortcutSheet shortcuts={shortcuts(session)} />
    </Shell>
  );
}

open({ page: "consult", lobby: (props) => <Lobby {...props} />, room: (props) => <Room {...props} /> });
