// Runs inside a Chromium page of the screen tests: real WebRTC endpoints that take what the pages publish and send it
// on to those who watch. It stands where the data plane stands when the real server is not built.
export function forwarder() {
  const publishers = new Map(); // session -> RTCPeerConnection
  const viewers = new Map(); // session -> { pc, senders: Map<publication, RTCRtpSender> }
  const tracks = new Map(); // publication -> MediaStreamTrack
  let next = 1;

  const complete = (pc) => new Promise((resolve) => {
    if (pc.iceGatheringState === "complete") resolve();
    else pc.onicegatheringstatechange = () => pc.iceGatheringState === "complete" && resolve();
  });

  window.forwarder = {
    async publish(session, sdp, sources) {
      const pc = publishers.get(session) ?? new RTCPeerConnection();
      publishers.set(session, pc);
      pc.known ??= new Map();
      await pc.setRemoteDescription({ type: "offer", sdp });
      await pc.setLocalDescription(await pc.createAnswer());
      await complete(pc);
      const ended = [...pc.known].filter(([mid]) => !sources.some((s) => s.mid === mid));
      for (const [mid, publication] of ended) { pc.known.delete(mid); tracks.delete(publication); }
      const published = sources.map((source) => {
        const isNew = !pc.known.has(source.mid);
        if (isNew) pc.known.set(source.mid, `pub${next++}`);
        const publication = pc.known.get(source.mid);
        const transceiver = pc.getTransceivers().find((t) => t.mid === source.mid);
        tracks.set(publication, transceiver.receiver.track);
        return { ...source, publication, isNew, kind: transceiver.receiver.track.kind };
      });
      return { sdp: pc.localDescription.sdp, published, ended: ended.map(([, publication]) => publication) };
    },
    async offer(session, publications) {
      const viewer = viewers.get(session) ?? { pc: new RTCPeerConnection(), slots: new Map() };
      viewers.set(session, viewer);
      for (const publication of publications) {
        const track = tracks.get(publication);
        if (track === undefined || viewer.slots.has(publication)) continue;
        const stream = new MediaStream([track]);
        viewer.slots.set(publication, viewer.pc.addTransceiver(track, { direction: "sendonly", streams: [stream] }));
      }
      await viewer.pc.setLocalDescription(await viewer.pc.createOffer());
      await complete(viewer.pc);
      const sources = [...viewer.slots].filter(([p]) => publications.includes(p)).map(([publication, t]) => ({ mid: t.mid, publication }));
      return { sdp: viewer.pc.localDescription.sdp, sources };
    },
    async answer(session, sdp) {
      await viewers.get(session).pc.setRemoteDescription({ type: "answer", sdp });
    },
    /** Stops sending one publication to everybody: what they see stands still. */
    async freeze(publication) {
      for (const { slots } of viewers.values()) await slots.get(publication)?.sender.replaceTrack(null);
    },
    async thaw(publication) {
      for (const { slots } of viewers.values()) await slots.get(publication)?.sender.replaceTrack(tracks.get(publication));
    },
  };
}
