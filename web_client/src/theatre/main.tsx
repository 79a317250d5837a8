/** The theatre's page: send cameras and microphones, see and hear those who advise. */
import { useEffect } from "preact/hooks";
import "../ui/style.css";
import { ACTING } from "../client/freshness";
import type { Session } from "../client/session";
import { words } from "../i18n";
import { open } from "../lobby/entry";
import type { LobbyProps } from "../lobby/entry";
import { Chat, ChatButton, chatOpen, toggleChat } from "../ui/chat";
import { MarkButton, markShortcut } from "../ui/mark";
import { useDeviceNews } from "../ui/notices";
import { Button } from "../ui/parts";
import { People } from "../ui/people";
import { Pictures, pictures, pinned, pinNumber } from "../ui/pictures";
import { RecordingButton } from "../ui/recording";
import { Shell, standing, useLeaveGuard, useWakeLock } from "../ui/shell";
import { ShortcutSheet, useShortcuts } from "../ui/shortcuts";
import type { Shortcut } from "../ui/shortcuts";
import { RemoteSound, SoundGate } from "../ui/sound";
import { AddButtons, SourceCard } from "./card";
import { procedure, ProcedurePanel, recordingBlocked } from "./procedure";
import { add, isSound, labelOf, sources, start, stopAll } from "./sources";

function Lobby({ join }: LobbyProps) {
  const t = words.value;
  useEffect(() => {
    if (sources.value.length > 0) return;
    add("endoscope");
    add("microphone");
  }, []);
  const ready = sources.value.filter((s) => s.capture.stream.value !== null);
  const enter = (): void => join((session) => void sendWhenJoined(session));
  return (
    <>
      <div class="sources">
        {sources.value.map((source) => <SourceCard key={source.key} source={source} />)}
      </div>
      <AddButtons />
      <div class="join-row">
        <p class="summary" role="status">
          {ready.length > 0 ? t.lobby.willSend(ready.map(labelOf).join(", ")) : t.lobby.nothingToSend}
        </p>
        <button type="button" class="button main big" onClick={enter}>
          {ready.length > 0 ? t.lobby.joinSending : t.lobby.withoutDevices}
        </button>
      </div>
    </>
  );
}

/** Sound first: it needs little and carries the most. */
async function sendWhenJoined(session: Session): Promise<void> {
  const ready = sources.value.filter((s) => s.capture.stream.value !== null);
  await new Promise<void>((resolve) => {
    const stop = session.me.subscribe((hello) => {
      if (hello === null) return;
      resolve();
      queueMicrotask(() => stop());
    });
  });
  for (const source of [...ready.filter(isSound), ...ready.filter((s) => !isSound(s))]) await start(session, source);
}

function shortcuts(session: Session): Shortcut[] {
  const t = words.value.keys;
  return [
    { key: "m", says: t.mute, press: () => toggleMicrophones(session) },
    { key: "1-9", says: t.pin, press: (digit) => pinNumber(session, digit - 1) },
    { key: "escape", says: t.unpin, press: () => (pinned.value = null) },
    { key: "c", says: t.chat, press: toggleChat },
    markShortcut(session),
  ];
}

function toggleMicrophones(session: Session): void {
  const voices = session.sending.value.filter((s) => s.sourceType === "microphone");
  const muted = !voices.every((s) => s.muted.value);
  for (const voice of voices) session.mute(voice, muted).catch(() => undefined);
}

function Room({ session }: { session: Session }) {
  useWakeLock();
  useLeaveGuard(() => session.sending.value.length > 0);
  useDeviceNews();
  useShortcuts(() => shortcuts(session));
  useEffect(() => () => {
    for (const source of [...sources.value]) source.capture.close();
    sources.value = [];
  }, []);
  const t = words.value;
  const arriving = session.sending.value.filter((s) => s.publication.value !== null && !s.muted.value);
  const count = (kind: string): number => arriving.filter((s) => s.track.kind === kind).length;
  const live = arriving.length > 0 && standing(session) === "connected";
  const liveWords = `${t.theatre.sendingNow} ${t.theatre.count(count("video"), count("audio"))}`;
  const stop = session.sending.value.length > 0 && (
    <Button icon="stop" tone="danger" word={t.theatre.stopAll} hint={t.theatre.stopAllConfirm} onPress={() => void stopAll(session)} />
  );
  return (
    <Shell session={session} page="theatre" live={live} liveWords={liveWords} actions={<><MarkButton session={session} />{stop}</>}>
      <main class="theatre-main">
        <section class="own" aria-label={t.theatre.sources}>
          <h2>{t.theatre.sources}</h2>
          {sources.value.length === 0 && <p class="empty">{t.theatre.nothingLive}</p>}
          <div class="sources">
            {sources.value.map((source) => <SourceCard key={source.key} source={source} session={session} />)}
          </div>
          <AddButtons />
          {session.may("consent") && <ProcedurePanel />}
          <RecordingButton session={session} procedure={procedure.value?.id ?? null} blocked={recordingBlocked.value} />
        </section>
        <section class="others" aria-label={t.theatre.remote}>
          {pictures(session).length > 0 && <Pictures session={session} limits={ACTING} canHide={false} empty={null} />}
          <People session={session} />
          <ChatButton session={session} />
          {chatOpen.value && <Chat session={session} />}
        </section>
      </main>
      <RemoteSound session={session} />
      <SoundGate />
      <ShortcutSheet shortcuts={shortcuts(session)} />
    </Shell>
  );
}

open({ page: "theatre", lobby: (props) => <Lobby {...props} />, room: (props) => <Room {...props} /> });
