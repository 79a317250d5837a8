/**
 * The transport on which this participant sends: the client offers. An ended source's transceiver is stopped, never used
 * for another source: browsers leave MID and RID off packets once these were acknowledged, so a server could not tell
 * the new source's layers by their old SSRCs. The browser recycles the rejected section with a new mid (RFC 9429, 5.2.2).
 */
import { signal } from "@preact/signals";
import type { Signal } from "@preact/signals";
import { PROFILES } from "./profiles";
import type { PublishedAnswer, Source, SourceType } from "./protocol";
import { Recovery } from "./recovery";

/** One source as sent. */
export interface Sending {
  readonly key: number;
  readonly label: string;
  readonly sourceType: SourceType;
  readonly track: MediaStreamTrack;
  /** The publication it became; null until the server has answered. */
  readonly publication: Signal<string | null>;
  readonly muted: Signal<boolean>;
}

export interface PublishPort {
  publish(sdp: string, sources: Source[]): Promise<PublishedAnswer>;
  /** The transport cannot be repaired; the session must join anew. */
  lost(): void;
}

interface Slot {
  transceiver: RTCRtpTransceiver;
  sending: Sending;
}

export class PublishTransport {
  readonly pc: RTCPeerConnection;
  readonly state = signal<RTCIceConnectionState>("new");
  /** Reliable, ordered: room messages. */
  readonly room: RTCDataChannel;
  /** Unordered, never repeated: a pointer that is late is wrong. */
  readonly pointer: RTCDataChannel;
  readonly recovery: Recovery;
  private readonly slots: Slot[] = [];
  private turn: Promise<unknown> = Promise.resolve();

  constructor(
    iceServers: RTCIceServer[],
    private readonly port: PublishPort,
  ) {
    this.pc = new RTCPeerConnection({ iceServers, bundlePolicy: "max-bundle" });
    this.room = this.pc.createDataChannel("room");
    this.pointer = this.pc.createDataChannel("pointer", { ordered: false, maxRetransmits: 0 });
    this.recovery = new Recovery(this.pc, () => this.negotiate(true), () => this.port.lost());
    this.pc.oniceconnectionstatechange = () => {
      this.state.value = this.pc.iceConnectionState;
      this.recovery.changed();
    };
  }

  /** Adds a source and negotiates it. Raises what the server answered; the source is then not sent. */
  async add(sending: Sending): Promise<void> {
    const slot = await this.slotFor(sending);
    try {
      await this.negotiate(false);
    } catch (error) {
      this.vacate(slot);
      throw error;
    }
  }

  /** Ends a source: its section is rejected. */
  async remove(sending: Sending): Promise<void> {
    const slot = this.slots.find((s) => s.sending === sending);
    if (slot === undefined) return;
    this.vacate(slot);
    await this.negotiate(false);
  }

  close(): void {
    this.recovery.stop();
    this.pc.close();
  }

  private async slotFor(sending: Sending): Promise<Slot> {
    const profile = PROFILES[sending.sourceType];
    sending.track.contentHint = profile.contentHint;
    const transceiver = this.pc.addTransceiver(sending.track, {
      direction: "sendonly", streams: [new MediaStream([sending.track])],
      sendEncodings: profile.encodings.map((e) => ({ ...e })),
    });
    if (sending.track.kind === "video") preferCodecs(transceiver);
    const slot = { transceiver, sending };
    this.slots.push(slot);
    await tune(transceiver.sender, sending.sourceType);
    return slot;
  }

  private vacate(slot: Slot): void {
    slot.sending.publication.value = null;
    this.slots.splice(this.slots.indexOf(slot), 1);
    if (this.pc.signalingState !== "closed") slot.transceiver.stop();
  }

  /** One negotiation at a time: an offer while another is out would be glare with ourselves. */
  private negotiate(iceRestart: boolean): Promise<void> {
    const next = this.turn.then(() => this.exchange(iceRestart));
    this.turn = next.catch(() => undefined);
    return next;
  }

  private async exchange(iceRestart: boolean): Promise<void> {
    if (this.pc.signalingState === "closed") return;
    await this.pc.setLocalDescription(await this.pc.createOffer({ iceRestart }));
    const sources = this.slots.flatMap((slot): Source[] =>
      slot.transceiver.mid === null
        ? []
        : [{ mid: slot.transceiver.mid, label: slot.sending.label, source_type: slot.sending.sourceType }],
    );
    try {
      const answer = await this.port.publish(this.pc.localDescription?.sdp ?? "", sources);
      await this.pc.setRemoteDescription({ type: "answer", sdp: answer.sdp });
      for (const { mid, publication } of answer.sources) {
        const slot = this.slots.find((s) => s.transceiver.mid === mid);
        if (slot !== undefined) slot.sending.publication.value = publication;
      }
    } catch (error) {
      if (this.pc.signalingState === "have-local-offer") await this.pc.setLocalDescription({ type: "rollback" });
      throw error;
    }
  }
}

/** VP8 first: every browser encodes it in several layers; the rest stays offered for what lacks it. */
function preferCodecs(transceiver: RTCRtpTransceiver): void {
  const codecs = RTCRtpSender.getCapabilities("video")?.codecs ?? [];
  const rank = (mime: string): number => (mime.toLowerCase() === "video/vp8" ? 0 : 1);
  transceiver.setCodecPreferences([...codecs].sort((a, b) => rank(a.mimeType) - rank(b.mimeType)));
}

async function tune(sender: RTCRtpSender, type: SourceType): Promise<void> {
  const profile = PROFILES[type];
  const parameters: RTCRtpSendParameters & { degradationPreference?: string } = sender.getParameters();
  parameters.degradationPreference = profile.degradation;
  try {
    await sender.setParameters(parameters);
  } catch {
    // A hint: a browser that does not know it sends all the same, and the tile shows what is sent.
  }
}
