/** The consultant's own microphone and camera: on, off, and held with the space bar. */
import { signal } from "@preact/signals";
import type { SourceType } from "../client/protocol";
import type { Sending } from "../client/publish";
import type { Session } from "../client/session";
import { words } from "../i18n";
import { Capture } from "../ui/capture";
import { notice } from "../ui/notices";

export const microphone = new Capture("consult", signal<SourceType>("microphone"));
export const camera = new Capture("consult", signal<SourceType>("room"));
export const cameraWanted = signal(false);
/** True while the space bar opens a muted microphone. */
export const held = signal(false);

export const voiceOf = (session: Session): Sending | undefined =>
  session.sending.value.find((s) => s.track.kind === "audio");
export const pictureOf = (session: Session): Sending | undefined =>
  session.sending.value.find((s) => s.track.kind === "video");

/** Sends what the lobby prepared, voice first. */
export async function sendPrepared(session: Session): Promise<void> {
  await new Promise<void>((resolve) => {
    const stop = session.me.subscribe((hello) => {
      if (hello === null) return;
      resolve();
      queueMicrotask(() => stop());
    });
  });
  await send(session, microphone, "publish_audio");
  if (cameraWanted.value) await send(session, camera, "publish_video");
  else camera.close();
}

async function send(session: Session, capture: Capture, right: "publish_audio" | "publish_video"): Promise<void> {
  const { track } = capture;
  if (track === undefined || !session.may(right)) return;
  const name = session.room.value.participants.get(session.me.value?.participant ?? "")?.name ?? "";
  const what = right === "publish_audio" ? words.value.lobby.microphone : words.value.lobby.camera;
  const label = (name === "" ? what : `${what} – ${name}`).slice(0, 64);
  try {
    const sending = await session.publish(track, label, capture.sourceType.value);
    capture.take();
    track.addEventListener("ended", () => void unplugged(session, sending), { once: true });
  } catch {
    capture.close();
  }
}

/** A microphone pulled out must not look as if it were heard: its source ends, and the page says so. */
async function unplugged(session: Session, sending: Sending): Promise<void> {
  if (!session.sending.value.includes(sending)) return;
  notice(words.value.toast.deviceRemoved);
  await session.unpublish(sending).catch(() => undefined);
}

export async function setMicrophone(session: Session, on: boolean): Promise<void> {
  const voice = voiceOf(session);
  if (voice !== undefined) await session.mute(voice, !on).catch(() => undefined);
  else if (on) {
    await microphone.open();
    await send(session, microphone, "publish_audio");
  }
}

export async function setCamera(session: Session, on: boolean): Promise<void> {
  const picture = pictureOf(session);
  if (!on && picture !== undefined) {
    picture.track.stop();
    await session.unpublish(picture).catch(() => undefined);
  } else if (on && picture === undefined) {
    await camera.open();
    await send(session, camera, "publish_video");
  }
}

/** Space pressed: opens the microphone only if it was muted, so that release closes only what press opened. */
export function talk(session: Session): void {
  const voice = voiceOf(session);
  if (voice === undefined || !voice.muted.value) return;
  held.value = true;
  void setMicrophone(session, true);
}

export function talkEnded(session: Session): void {
  if (!held.value) return;
  held.value = false;
  void setMicrophone(session, false);
}
