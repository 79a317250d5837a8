// Runs inside a page: draws marks as signalling/demo/marks.py does, publishes a canvas by WHIP, watches by WHEP, reads back.
(() => {
  const LEAD = [1, 0, 1, 0];
  const CELLS = 68;
  const LIGHT = 235, DARK = 16;
  const cellSize = (width) => Math.max(4, Math.floor(width / CELLS));
  const bits = (value, count) => Array.from({ length: count }, (_, i) => Math.floor(value / 2 ** (count - 1 - i)) % 2);

  function checksum(frame, clock) {
    let value = (BigInt(frame) << 32n) | BigInt(clock);
    let total = 0x5a;
    while (value > 0n) {
      total = (total * 31 + Number(value & 0xffn)) & 0xff;
      value >>= 8n;
    }
    return total;
  }

  function draw(context, frame) {
    const { width, height } = context.canvas;
    const clock = Date.now() % 2 ** 32;
    const cells = [...LEAD, ...bits(frame % 2 ** 24, 24), ...bits(clock, 32), ...bits(checksum(frame, clock), 8)];
    const size = cellSize(width);
    cells.forEach((cell, i) => {
      const grey = cell ? LIGHT : DARK;
      context.fillStyle = `rgb(${grey} ${grey} ${grey})`;
      context.fillRect(i * size, height - size, size, size);
    });
  }

  function decode(cells) {
    if (LEAD.some((bit, i) => cells[i] !== bit)) return null;
    const number = (from, count) => cells.slice(from, from + count).reduce((sum, bit) => sum * 2 + bit, 0);
    const frame = number(4, 24), clock = number(28, 32);
    return checksum(frame, clock) === number(60, 8) ? { frame, clock } : null;
  }

  // The mark of a video element's present frame; `original` is the width it was drawn at (a layer is smaller).
  const scratch = new OffscreenCanvas(1, 1);
  function read(video, original) {
    const width = video.videoWidth, height = video.videoHeight;
    if (width === 0) return null;
    const size = (cellSize(original) * width) / original;
    const rows = Math.max(1, Math.floor(size));
    if (scratch.width !== width || scratch.height !== rows) [scratch.width, scratch.height] = [width, rows];
    const context = scratch.getContext("2d", { willReadFrequently: true });
    context.drawImage(video, 0, height - rows, width, rows, 0, 0, width, rows);
    const row = context.getImageData(0, Math.max(0, Math.floor(rows - size / 2)), width, 1).data;
    const cells = Array.from({ length: CELLS }, (_, i) => (row[4 * Math.floor((i + 0.5) * size) + 1] > 125 ? 1 : 0));
    return decode(cells);
  }

  // Reads every rendered frame of a video from now on.
  function follow(video, original) {
    const log = { seen: [], unread: 0, widths: [] };
    const rendered = () => {
      const mark = read(video, original);
      const now = Date.now();
      if (mark === null) log.unread += 1;
      else log.seen.push([mark.frame, (now - mark.clock + 2 ** 32) % 2 ** 32, video.videoWidth]);
      if (log.widths.at(-1) !== video.videoWidth) log.widths.push(video.videoWidth);
      video.requestVideoFrameCallback(rendered);
    };
    video.requestVideoFrameCallback(rendered);
    return log;
  }

  // A moving picture with marks, and a tone.
  function source(width, height, framesPerSecond) {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [width, height];
    const context = canvas.getContext("2d");
    const state = { frame: 0 };
    const paint = () => {
      const at = state.frame * 4;
      context.fillStyle = "#30483c";
      context.fillRect(0, 0, width, height);
      context.fillStyle = "#b07050";
      context.fillRect(at % width, (at / 2) % (height * 0.7), width / 6, height / 6);
      draw(context, state.frame);
      state.frame += 1;
    };
    paint();
    setInterval(paint, 1000 / framesPerSecond);
    const sound = new AudioContext();
    const tone = sound.createOscillator();
    const out = sound.createMediaStreamDestination();
    tone.connect(out);
    tone.start();
    const stream = canvas.captureStream(framesPerSecond);
    stream.addTrack(out.stream.getAudioTracks()[0]);
    return { stream, state };
  }

  // A picture that no encoder can make small, and a tone.
  function busy(width, height, framesPerSecond) {
    const { stream } = source(16, 16, 1);
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [width, height];
    const context = canvas.getContext("2d");
    setInterval(() => {
      for (let i = 0; i < 40; i++) {
        context.fillStyle = `hsl(${Math.random() * 360} 80% 50%)`;
        context.fillRect(Math.random() * width, Math.random() * height, width / 16, height / 13);
      }
    }, 1000 / framesPerSecond);
    for (const track of stream.getVideoTracks()) stream.removeTrack(track);
    stream.addTrack(canvas.captureStream(framesPerSecond).getVideoTracks()[0]);
    return { stream };
  }

  // Cameras of the pages become canvases with marks; sounds become tones.
  function replaceDevices(width, height, framesPerSecond) {
    navigator.mediaDevices.getUserMedia = async (wanted) => {
      const { stream } = source(width, height, framesPerSecond);
      for (const track of stream.getTracks()) if (!wanted[track.kind]) stream.removeTrack(track);
      return stream;
    };
  }

  const post = async (path, token, sdp) => {
    const response = await fetch(path, {
      method: "POST", headers: { "content-type": "application/sdp", authorization: `Bearer ${token}` }, body: sdp,
    });
    if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`);
    const links = Object.fromEntries([...(response.headers.get("link") ?? "").matchAll(/<([^>]+)>; rel="([^"]+)"/g)]
      .map(([, url, rel]) => [rel.split(":").at(-1), url]));
    const [location, etag] = ["location", "etag"].map((name) => response.headers.get(name));
    return { location, etag, links, answer: await response.text() };
  };

  const made = {};
  async function negotiate(path, token, pc) {
    await pc.setLocalDescription(await pc.createOffer());
    const session = { ...(await post(path, token, pc.localDescription.sdp)), token };
    await pc.setRemoteDescription({ type: "answer", sdp: session.answer });
    return session;
  }

  async function publish(path, token, { width, height, framesPerSecond, codec, layers, scalabilityMode }) {
    const { stream, state } = source(width, height, framesPerSecond);
    const pc = new RTCPeerConnection();
    // VP9 and AV1 would put all sizes into one stream unless told that each encoding has one spatial layer.
    const mode = ["video/VP9", "video/AV1"].includes(codec) ? { scalabilityMode: "L1T1" } : {};
    const encodings = scalabilityMode ? [{ scalabilityMode }] : (layers ?? []).map((rid, i) => (
      { rid, scaleResolutionDownBy: 2 ** (layers.length - 1 - i), ...mode }));
    const video = pc.addTransceiver(stream.getVideoTracks()[0], { direction: "sendonly", sendEncodings: encodings });
    pc.addTransceiver(stream.getAudioTracks()[0], { direction: "sendonly" });
    const known = RTCRtpSender.getCapabilities("video").codecs;
    video.setCodecPreferences(known.filter((c) => c.mimeType === codec || c.mimeType === "video/rtx"));
    Object.assign(made, { pc, state, session: await negotiate(path, token, pc) });
  }

  async function watch(path, token, original) {
    const pc = new RTCPeerConnection();
    const video = document.createElement("video");
    Object.assign(video, { autoplay: true, playsInline: true });
    document.body.append(video);
    const stream = new MediaStream();
    pc.ontrack = ({ track }) => {
      stream.addTrack(track);
      video.srcObject = stream;
    };
    pc.addTransceiver("video", { direction: "recvonly" });
    pc.addTransceiver("audio", { direction: "recvonly" });
    const log = follow(video, original);
    Object.assign(made, { pc, video, log, session: await negotiate(path, token, pc) });
  }

  // Milliseconds from the POST of a WHEP offer to the first decoded frame; then everything is closed again.
  async function timeFirstFrame(path, token) {
    const pc = new RTCPeerConnection();
    const video = Object.assign(document.createElement("video"), { muted: true, autoplay: true });
    document.body.append(video);
    pc.ontrack = ({ track }) => (video.srcObject = new MediaStream([track]));
    pc.addTransceiver("video", { direction: "recvonly" });
    await pc.setLocalDescription(await pc.createOffer());
    const decoded = new Promise((done) => video.requestVideoFrameCallback(() => done(performance.now())));
    const started = performance.now();
    const { answer } = await post(path, token, pc.localDescription.sdp);
    await pc.setRemoteDescription({ type: "answer", sdp: answer });
    const took = (await decoded) - started;
    pc.close();
    video.remove();
    return took;
  }

  // RFC 9725 section 4.3.3: PATCH with `If-Match: *`; the answer's credentials go into the old answer.
  async function restartIce() {
    const { pc, session } = made;
    await pc.setLocalDescription(await pc.createOffer({ iceRestart: true }));
    const sdp = pc.localDescription.sdp;
    const line = (name) => new RegExp(`^a=${name}:.*$`, "m").exec(sdp)[0];
    const response = await fetch(session.location, {
      method: "PATCH",
      headers: { "content-type": "application/trickle-ice-sdpfrag", authorization: `Bearer ${session.token}`, "if-match": "*" },
      body: `${line("ice-ufrag")}\r\n${line("ice-pwd")}\r\n`,
    });
    const fragment = await response.text();
    const of = (name) => new RegExp(`^a=${name}:.*$`, "m").exec(fragment)[0];
    const answer = session.answer
      .replace(/^a=ice-ufrag:.*$/gm, of("ice-ufrag").trim()).replace(/^a=ice-pwd:.*$/gm, of("ice-pwd").trim());
    await pc.setRemoteDescription({ type: "answer", sdp: answer });
    return { status: response.status, etag: response.headers.get("etag"), before: session.etag };
  }

  // What a WHEP player is told of the layers, and the answer to its choice of the one at this place.
  async function chooseLayer(place) {
    const { links, token } = made.session;
    const ask = (url, body) => fetch(url, {
      method: "POST", headers: { "content-type": "application/json", authorization: `Bearer ${token}` }, body: JSON.stringify(body),
    });
    const stream = new EventSource((await ask(links["server-sent-events"], ["layers"])).headers.get("location"));
    const layers = await new Promise((told) => stream.addEventListener("layers", ({ data }) => told(JSON.parse(data))));
    stream.close();
    const [mediaId, offered] = Object.entries(layers)[0];
    return { offered, status: (await ask(links.layer, { mediaId, rid: offered.at(place).rid })).status };
  }

  async function statistics() {
    return [...(await made.pc.getStats()).values()];
  }

  window.media = { made, source, busy, publish, watch, timeFirstFrame, follow, read, replaceDevices, restartIce, chooseLayer, statistics };
})();
