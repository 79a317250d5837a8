/** The transport on which this participant receives: the server offers, the client answers the same generation. */
import { signal } from "@preact/signals";
import type { Offer } from "./protocol";
import { Recovery } from "./recovery";

export interface SubscribePort {
  answer(generation: number, sdp: string): Promise<unknown>;
  restart(): Promise<unknown>;
  lost(): void;
}

export class SubscribeTransport {
  readonly pc: RTCPeerConnection;
  readonly state = signal<RTCIceConnectionState>("new");
  /** Publication id to the track that carries it. */
  readonly tracks = signal<ReadonlyMap<string, MediaStreamTrack>>(new Map());
  readonly recovery: Recovery;
  private turn: Promise<unknown> = Promise.resolve();

  constructor(
    iceServers: RTCIceServer[],
    private readonly port: SubscribePort,
  ) {
    this.pc = new RTCPeerConnection({ iceServers, bundlePolicy: "max-bundle" });
    this.recovery = new Recovery(this.pc, async () => { await port.restart(); }, () => port.lost());
    this.pc.oniceconnectionstatechange = () => {
      this.state.value = this.pc.iceConnectionState;
      this.recovery.changed();
    };
  }

  /** Takes one offer after the other, in the order in which they came. */
  offered(offer: Offer): Promise<void> {
    const next = this.turn.then(() => this.take(offer));
    this.turn = next.catch(() => undefined);
    return next;
  }

  close(): void {
    this.recovery.stop();
    this.pc.close();
    this.tracks.value = new Map();
  }

  private async take(offer: Offer): Promise<void> {
    if (this.pc.signalingState === "closed") return;
    await this.pc.setRemoteDescription({ type: "offer", sdp: offer.sdp });
    const publications = new Map(offer.sources.map((s) => [s.mid, s.publication]));
    const tracks = new Map<string, MediaStreamTrack>();
    for (const transceiver of this.pc.getTransceivers()) {
      const publication = transceiver.mid === null ? undefined : publications.get(transceiver.mid);
      if (publication !== undefined) tracks.set(publication, transceiver.receiver.track);
    }
    await this.pc.setLocalDescription(await this.pc.createAnswer());
    this.tracks.value = tracks;
    await this.port.answer(offer.generation, this.pc.localDescription?.sdp ?? "");
  }
}
