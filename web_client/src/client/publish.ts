/**
 * The transport on which this participant sends: the client offers. An ended source's transceiver is stopped, never used
 * for another source: browsers leave MID and RID off packets once these were acknowledged, so a server could not tell
 * the new source's layers by their old SSRCs. The browser recycles the rejected section with a new mid (RFC 9429, 5.2.2).
 */
import { signal } from "@preact/signals";
import type { Signal } from "@preact/signals";
import { PROFILES } from "./profiles";
import type { EncodingWanted, PublishedAnswer, Source, SourceType } from "./protocol";
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

/** One peer connection with what hangs on it. */
interface Link {
  readonly pc: RTCPeerConnection;
  /** Reliable, ordered: room messages. */
  readonly room: RTCDataChannel;
  /** Unordered, never repeated: a pointer that is late is wrong. */
  readonly pointer: RTCDataChannel;
  readonly recovery: Recovery;
}

export class PublishTransport {
  readonly state = signal<RTCIceConnectionState>("new");
  private link: Link;
  private readonly slots: Slot[] = [];
  /** Refused before they had a section; stopped once they have one. */
  private readonly refused: RTCRtpTransceiver[] = [];
  private turn: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly iceServers: RTCIceServer[],
    private readonly port: PublishPort,
  ) {
    this.link = this.open();
  }

  get pc(): RTCPeerConnection {
    return this.link.pc;
  }

  get recovery(): Recovery {
    return this.link.recovery;
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

  /** What anybody needs of a source, by layer; the profile stays the most that is sent. */
  async restrain(publication: string, wanted: readonly EncodingWanted[]): Promise<void> {
    const slot = this.slots.find((s) => s.sending.publication.value === publication);
    if (slot === undefined) return;
    const { sender } = slot.transceiver;
    const parameters = sender.getParameters();
    const most = PROFILES[slot.sending.sourceType].encodings;
    parameters.encodings.forEach((encoding, layer) => {
      const { active, max_bitrate: worth } = wanted[layer] ?? { active: true, max_bitrate: null };
      const limits = [most[layer]?.maxBitrate, worth].filter((rate) => rate != null);
      encoding.active = active;
      if (limits.length > 0) encoding.maxBitrate = Math.min(...limits);
    });
    try {
      await sender.setParameters(parameters);
    } catch {
      // Another change came between: more is sent than anybody needs, and the server's next word tells it anew.
    }
  }

  close(): void {
    this.recovery.stop();
    this.pc.close();
  }

  private open(): Link {
    const pc = new RTCPeerConnection({ iceServers: this.iceServers, bundlePolicy: "max-bundle" });
    const recovery = new Recovery(pc, () => this.negotiate(true), () => this.port.lost());
    pc.oniceconnectionstatechange = () => {
      this.state.value = pc.iceConnectionState;
      recovery.changed();
    };
    const room = pc.createDataChannel("room");
    return { pc, room, pointer: pc.createDataChannel("pointer", { ordered: false, maxRetransmits: 0 }), recovery };
  }

  private async slotFor(sending: Sending): Promise<Slot> {
    const slot = { transceiver: transceiverFor(this.pc, sending), sending };
    this.slots.push(slot);
    await tune(slot.transceiver.sender, sending.sourceType);
    return slot;
  }

  private vacate(slot: Slot): void {
    slot.sending.publication.value = null;
    this.slots.splice(this.slots.indexOf(slot), 1);
    if (this.pc.signalingState === "closed") return;
    if (slot.transceiver.mid !== null) slot.transceiver.stop();
    else {
      // Stopped before it has a section it would take, in Chromium, the one of the next source.
      slot.transceiver.direction = "inactive";
      void slot.transceiver.sender.replaceTrack(null);
      this.refused.push(slot.transceiver);
    }
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
      for (const transceiver of this.refused.splice(0)) transceiver.stop();
    } catch (error) {
      await this.undo();
      throw error;
    }
  }

  /** Takes an offer back. The first one together with its connection: Chromium rolls data channels back for good. */
  private async undo(): Promise<void> {
    if (this.pc.signalingState !== "have-local-offer") return;
    if (this.pc.currentRemoteDescription !== null) {
      await this.pc.setLocalDescription({ type: "rollback" });
      return;
    }
    this.close();
    this.link = this.open();
    this.refused.length = 0;
    for (const slot of this.slots) {
      slot.transceiver = transceiverFor(this.pc, slot.sending);
      void tune(slot.transceiver.sender, slot.sending.sourceType);
    }
  }
}

function transceiverFor(pc: RTCPeerConnection, sending: Sending): RTCRtpTransceiver {
  const profile = PROFILES[sending.sourceType];
  sending.track.contentHint = profile.contentHint;
  const transceiver = pc.addTransceiver(sending.track, {
    direction: "sendonly", streams: [new MediaStream([sending.track])],
    sendEncodings: profile.encodings.map((e) => ({ ...e })),
  });
  if (sending.track.kind === "video") preferCodecs(transceiver);
  return transceiver;
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
