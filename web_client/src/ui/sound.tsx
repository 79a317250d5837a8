/** Remote voices: one element per track; when the browser wants a tap first, a button says so. */
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Session } from "../client/session";
import { words } from "../i18n";
import { Button } from "./parts";

export const soundOn = signal(true);
const blocked = signal(false);

export function RemoteSound({ session }: { session: Session }) {
  const voices = session.others().filter((p) => p.kind === "audio");
  return (
    <>
      {voices.map((p) => {
        const track = session.tracks.value.get(p.id);
        return track === undefined ? null : <Voice key={p.id} track={track} publication={p.id} />;
      })}
    </>
  );
}

function Voice({ track, publication }: { track: MediaStreamTrack; publication: string }) {
  const audio = useRef<HTMLAudioElement>(null);
  useEffect(() => {
    const element = audio.current;
    if (element === null) return;
    element.srcObject = new MediaStream([track]);
    element.play().catch((error: unknown) => {
      if (error instanceof DOMException && error.name === "NotAllowedError") blocked.value = true;
    });
  }, [track]);
  return <audio ref={audio} autoplay muted={!soundOn.value} data-publication={publication} />;
}

/** A tap is what the browser waits for: every voice is started in its handler. */
function unblock(): void {
  blocked.value = false;
  for (const element of document.querySelectorAll("audio")) element.play().catch(() => (blocked.value = true));
}

/** The big button over the page while sound is blocked; nothing otherwise. */
export function SoundGate() {
  if (!blocked.value) return null;
  return (
    <div class="sound-gate">
      <Button tone="main" icon="speaker" word={words.value.sound.tap} onPress={unblock} />
    </div>
  );
}

export function SoundButton() {
  const t = words.value;
  return (
    <Button
      icon={soundOn.value ? "speaker" : "speakerOff"} word={soundOn.value ? t.sound.turnOff : t.sound.turnOn}
      tone={soundOn.value ? "plain" : "danger"} onPress={() => (soundOn.value = !soundOn.value)}
    />
  );
}
