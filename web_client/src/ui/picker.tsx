/** What a person sees of a device: which one, what it gives, and what to do when it gives nothing. */
import { signal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { listDevices } from "../client/devices";
import type { Kind } from "../client/protocol";
import { words } from "../i18n";
import type { Capture } from "./capture";
import { Button, ErrorCard } from "./parts";

export function DeviceSelect({ capture, kind }: { capture: Capture; kind: Kind }) {
  const t = words.value;
  const devices = useMemo(() => signal<MediaDeviceInfo[]>([]), []);
  useEffect(() => {
    const read = (): void => void listDevices(kind).then((list) => (devices.value = list));
    read();
    const media = (navigator as { mediaDevices?: MediaDevices }).mediaDevices;
    media?.addEventListener("devicechange", read);
    return () => media?.removeEventListener("devicechange", read);
  }, [capture.stream.value]);
  if (devices.value.length === 0) return null;
  return (
    <label class="field">
      <span>{kind === "audio" ? t.lobby.microphone : t.theatre.device}</span>
      <select value={capture.deviceId.value ?? ""} onChange={(e) => void capture.choose(e.currentTarget.value)}>
        {devices.value.map((d, i) => (
          <option key={d.deviceId} value={d.deviceId}>
            {d.label || `${t.lobby.defaultDevice} ${i + 1}`}
          </option>
        ))}
      </select>
    </label>
  );
}

export function Preview({ track, label }: { track: MediaStreamTrack | undefined; label: string }) {
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    const element = video.current;
    if (element === null) return;
    element.srcObject = track === undefined ? null : new MediaStream([track]);
    if (track !== undefined) element.play().catch(() => undefined);
  }, [track]);
  return (
    <div class="preview">
      <video ref={video} autoplay muted playsInline aria-label={`${words.value.lobby.preview}: ${label}`} />
      {track === undefined && <p class="cover solid">{words.value.lobby.noPreview}</p>}
    </div>
  );
}

export function DeviceFaultCard({ capture }: { capture: Capture }) {
  const fault = capture.fault.value;
  if (fault === null) return null;
  const t = words.value;
  return (
    <ErrorCard advice={t.devices[fault.device][fault.fault]} code={fault.code}>
      {fault.fault !== "insecure" && (
        <Button icon="retry" word={t.lobby.retry} onPress={() => void capture.open()} />
      )}
    </ErrorCard>
  );
}
