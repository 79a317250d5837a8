/** Short news in one quiet line of the header: nothing ever pops up over a picture. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { words } from "../i18n";

const SHOWN_MS = 6_000;

const latest = signal<{ id: number; text: string } | null>(null);
let nextId = 1;

export function notice(text: string): void {
  const id = nextId++;
  latest.value = { id, text };
  setTimeout(() => {
    if (latest.value?.id === id) latest.value = null;
  }, SHOWN_MS);
}

export function Notices() {
  return (
    <p class="notices" role="status" aria-live="polite">
      {latest.value?.text}
    </p>
  );
}

/** Tells when a camera or microphone is plugged in or out, and runs `changed` so that lists are read anew. */
export function useDeviceNews(changed?: () => void): void {
  useEffect(() => {
    const devices = (navigator as { mediaDevices?: MediaDevices }).mediaDevices;
    if (devices === undefined) return undefined;
    let count = -1;
    const look = async (): Promise<void> => {
      const now = (await devices.enumerateDevices()).length;
      if (count >= 0 && now > count) notice(words.value.toast.deviceAdded);
      if (count >= 0 && now < count) notice(words.value.toast.deviceRemoved);
      count = now;
      changed?.();
    };
    const listener = (): void => void look();
    void devices.enumerateDevices().then((list) => (count = list.length));
    devices.addEventListener("devicechange", listener);
    return () => devices.removeEventListener("devicechange", listener);
  }, []);
}
