/** Cameras, microphones and screens: opening them, and naming what went wrong so that a person can act on it. */
import { PROFILES } from "./profiles";
import type { Kind, SourceType } from "./protocol";

export type DeviceFault = "denied" | "missing" | "in_use" | "insecure" | "cancelled" | "unknown";

/** A device could not be opened; `fault` chooses the words and `code` is what a person reads out by phone. */
export class DeviceError extends Error {
  readonly code: string;

  constructor(
    readonly fault: DeviceFault,
    readonly device: Kind | "screen",
  ) {
    super(`${device}: ${fault}`);
    this.name = "DeviceError";
    this.code = `${device === "audio" ? "MIC" : device === "video" ? "CAM" : "SCR"}-${CODES[fault]}`;
  }
}

const CODES: Record<DeviceFault, string> = {
  denied: "01", missing: "02", in_use: "03", insecure: "04", cancelled: "05", unknown: "09",
};

/** Names of `getUserMedia`'s exceptions (W3C Media Capture and Streams, section 10.2). */
const FAULTS: Readonly<Record<string, DeviceFault>> = {
  NotAllowedError: "denied", SecurityError: "denied", NotFoundError: "missing", OverconstrainedError: "missing",
  DevicesNotFoundError: "missing", NotReadableError: "in_use", AbortError: "in_use", TrackStartError: "in_use",
};

export function faultOf(error: unknown, device: Kind | "screen"): DeviceError {
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  // A closed screen picker is reported like a refusal; it is a change of mind and needs no advice.
  const fault = device === "screen" && name === "NotAllowedError" ? "cancelled" : (FAULTS[name] ?? "unknown");
  return new DeviceError(fault, device);
}

function media(device: Kind | "screen"): MediaDevices {
  // Browsers hide the whole interface on plain http other than localhost.
  const devices = (navigator as { mediaDevices?: MediaDevices }).mediaDevices;
  if (!window.isSecureContext || devices === undefined) throw new DeviceError("insecure", device);
  return devices;
}

/** Opens one device with the profile of its source type. Raises `DeviceError`. */
export async function openDevice(type: SourceType, deviceId: string | null): Promise<MediaStream> {
  const { kind, capture } = PROFILES[type];
  const devices = media(kind);
  const wanted: MediaTrackConstraints = deviceId === null ? capture : { ...capture, deviceId: { exact: deviceId } };
  try {
    return await devices.getUserMedia(kind === "audio" ? { audio: wanted } : { video: wanted });
  } catch (error) {
    const fault = faultOf(error, kind);
    // A remembered device that is not plugged in today must not stop anybody: take what there is.
    if (fault.fault === "missing" && deviceId !== null) return openDevice(type, null);
    throw fault;
  }
}

/** Lets a person choose a screen or window. Raises `DeviceError`. */
export async function openScreen(): Promise<MediaStream> {
  const devices = media("screen");
  if (!("getDisplayMedia" in devices)) throw new DeviceError("missing", "screen");
  try {
    return await devices.getDisplayMedia({ video: { frameRate: { ideal: 15, max: 30 } }, audio: false });
  } catch (error) {
    throw faultOf(error, "screen");
  }
}

/** Devices of a kind; labels are empty until the person has allowed one. */
export async function listDevices(kind: Kind): Promise<MediaDeviceInfo[]> {
  const devices = (navigator as { mediaDevices?: MediaDevices }).mediaDevices;
  if (devices === undefined) return [];
  const wanted = kind === "audio" ? "audioinput" : "videoinput";
  return (await devices.enumerateDevices()).filter((d) => d.kind === wanted && d.deviceId !== "");
}

export function stopStream(stream: MediaStream | null | undefined): void {
  for (const track of stream?.getTracks() ?? []) track.stop();
}
