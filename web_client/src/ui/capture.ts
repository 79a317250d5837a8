/** One device being chosen: its stream, its fault, and the list to choose from. Used in lobbies and in the theatre. */
import { signal } from "@preact/signals";
import type { Signal } from "@preact/signals";
import { DeviceError, listDevices, openDevice, openScreen, stopStream } from "../client/devices";
import type { SourceType } from "../client/protocol";
import { PROFILES } from "../client/profiles";
import { deviceKey, recall, remember } from "../client/remembered";

export class Capture {
  readonly stream: Signal<MediaStream | null> = signal(null);
  readonly fault: Signal<DeviceError | null> = signal(null);
  readonly busy = signal(false);
  readonly deviceId: Signal<string | null>;
  private order = 0;

  /** `slot` names what is remembered for this page, such as "microphone". */
  constructor(
    private readonly page: string,
    readonly sourceType: Signal<SourceType>,
    readonly screen = false,
  ) {
    this.deviceId = signal(recall(this.slot()));
  }

  get track(): MediaStreamTrack | undefined {
    return this.stream.value?.getTracks()[0];
  }

  /** Opens (again) with the present device and type; a later call wins over an earlier one. */
  async open(avoid: ReadonlySet<string> = new Set()): Promise<void> {
    const mine = ++this.order;
    this.busy.value = true;
    this.fault.value = null;
    stopStream(this.stream.value);
    this.stream.value = null;
    try {
      const stream = this.screen ? await openScreen() : await openDevice(this.sourceType.value, await this.choice(avoid));
      if (mine !== this.order) stopStream(stream);
      else this.opened(stream);
    } catch (error) {
      if (mine === this.order && error instanceof DeviceError) this.fault.value = error;
    } finally {
      if (mine === this.order) this.busy.value = false;
    }
  }

  choose(deviceId: string): Promise<void> {
    this.deviceId.value = deviceId;
    remember(this.slot(), deviceId);
    return this.open();
  }

  close(): void {
    this.order += 1;
    stopStream(this.stream.value);
    this.stream.value = null;
  }

  /** Hands the stream over to the session; this capture no longer stops it. */
  take(): MediaStreamTrack | undefined {
    const { track } = this;
    this.order += 1;
    this.stream.value = null;
    return track;
  }

  private opened(stream: MediaStream): void {
    this.stream.value = stream;
    const id = stream.getTracks()[0]?.getSettings().deviceId;
    if (id !== undefined && !this.screen) this.deviceId.value = id;
  }

  /** A second camera is another camera than the first, unless there is only one. */
  private async choice(avoid: ReadonlySet<string>): Promise<string | null> {
    const wanted = this.deviceId.value;
    if (wanted !== null && !avoid.has(wanted)) return wanted;
    if (avoid.size === 0) return null;
    const free = (await listDevices(PROFILES[this.sourceType.value].kind)).find((d) => !avoid.has(d.deviceId));
    return free?.deviceId ?? null;
  }

  private slot(): string {
    return deviceKey(this.page, this.sourceType.value);
  }
}
