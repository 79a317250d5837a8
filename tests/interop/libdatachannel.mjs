// A WHIP client on libdatachannel, the stack of OBS: offers H.264 and Opus as OBS does, sends Opus.
// usage: node libdatachannel.mjs URL   with the token as first line of standard input; the end of input ends it by DELETE.
// Prints one JSON object per line: {"state"}, {"answered", "location", "video"}, {"sent"}, {"deleted"}.
import { createInterface } from "node:readline";
import nodeDataChannel from "node-datachannel";

const SSRC = { video: 0x10aded01, audio: 0x10aded02 };
// 20 ms of silence, RFC 6716: configuration 31 (CELT, full band, 20 ms), mono, one frame.
const SILENCE = Buffer.from([0xf8, 0xff, 0xfe]);

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
const endpoint = process.argv[2];
const lines = createInterface({ input: process.stdin });
const token = (await lines[Symbol.asyncIterator]().next()).value;

const pc = new nodeDataChannel.PeerConnection("publisher", { iceServers: [], bindAddress: "127.0.0.1", disableAutoNegotiation: true });
pc.onStateChange((state) => say({ state }));
const gathered = new Promise((done) => pc.onGatheringStateChange((state) => state === "complete" && done()));

const video = new nodeDataChannel.Video("video", "SendOnly");
video.addH264Codec(96);
video.addSSRC(SSRC.video, "loupe", "stream", "video");
const audio = new nodeDataChannel.Audio("audio", "SendOnly");
audio.addOpusCodec(111);
audio.addSSRC(SSRC.audio, "loupe", "stream", "audio");
const tracks = { video: pc.addTrack(video), audio: pc.addTrack(audio) };

pc.setLocalDescription("offer");
await gathered;
const headers = { authorization: `Bearer ${token}`, "content-type": "application/sdp" };
const response = await fetch(endpoint, { method: "POST", headers, body: pc.localDescription().sdp });
const answer = await response.text();
const location = response.headers.get("location");
say({ answered: response.status, location, video: /^m=video (\d+)/m.exec(answer)?.[1] !== "0" && /H264/.test(answer) });
pc.setRemoteDescription(answer, "answer");

let sent = 0;
const timer = setInterval(() => {
  if (!tracks.audio.isOpen()) return;
  const header = Buffer.alloc(12);
  header.writeUInt8(0x80, 0);
  header.writeUInt8(111, 1);
  header.writeUInt16BE(sent % 65_536, 2);
  header.writeUInt32BE((sent * 960) % 2 ** 32, 4);
  header.writeUInt32BE(SSRC.audio, 8);
  tracks.audio.sendMessageBinary(Buffer.concat([header, SILENCE]));
  sent += 1;
  if (sent % 50 === 0) say({ sent });
}, 20);

lines.on("close", async () => {
  clearInterval(timer);
  const ended = await fetch(new URL(location, endpoint), { method: "DELETE", headers });
  say({ deleted: ended.status });
  pc.close();
  nodeDataChannel.cleanup();
});
