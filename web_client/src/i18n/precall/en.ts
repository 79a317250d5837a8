/** The pre-call test. */
import type { Item } from "../../client/precall_grades";
import type { PrecallWords } from "./vi";

const decimal = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 1 });

const advice: Record<Item, Record<"fair" | "poor", string>> = {
  websocket: {
    fair: "The network answers slowly. Try a cable instead of Wi-Fi.",
    poor: "No WebSocket could be opened. Ask your IT department to allow HTTPS and WebSocket to this server.",
  },
  udp: {
    fair: "Pictures go round by a relay. Ask your IT department to open UDP to the server: less delay.",
    poor: "UDP is blocked, so there is no picture and no sound. Ask IT to open the server's UDP ports (run: loupe doctor --preflight).",
  },
  up: {
    fair: "Only small pictures can be sent. Stop other uploads; use a cable.",
    poor: "The upload is too weak. Use a cable or another network, then test again.",
  },
  down: {
    fair: "You will see small pictures. Close pages that download; use a cable.",
    poor: "The download is too weak. Use a cable or another network; sound goes first.",
  },
  loss: {
    fair: "Some packets are lost: pictures may stutter. Go nearer to the Wi-Fi, or use a cable.",
    poor: "Many packets are lost. Use a cable; if that does not help, call your provider.",
  },
  rtt: {
    fair: "The delay can be noticed in conversation: let the other finish.",
    poor: "The delay is too long for live guidance. Use another network.",
  },
  device: {
    fair: "This computer cannot encode fast enough. Close programs, or use a stronger one.",
    poor: "This computer is too weak to send pictures.",
  },
};

export const precall: PrecallWords = {
  title: "Test the connection",
  help: "Takes about 20 seconds. Neither camera nor microphone is used.",
  start: "Test the connection",
  again: "Test again",
  print: "Print the result",
  steps: { websocket: "Trying to connect…", udp: "Trying the way of the pictures…", rates: "Measuring the rates…" },
  items: {
    websocket: "Control connection (WebSocket)", udp: "Way of pictures and sound (UDP)", up: "Upload", down: "Download",
    loss: "Lost packets", rtt: "Round trip", device: "This computer",
  },
  verdicts: {
    good: "GREEN: the connection is good", fair: "AMBER: it works, but it is weak", poor: "RED: it cannot be used yet",
    unknown: "Not measured",
  },
  words: { good: "Good", fair: "Weak", poor: "Not enough", unknown: "Not measured" },
  relayed: "by a relay",
  direct: "direct",
  blocked: "blocked",
  advice: (item, grade) => advice[item][grade],
  rate: (kbit) => `${decimal.format(kbit / 1000)} Mbit/s`,
  atLeast: (rate) => `at least ${rate}`,
  milliseconds: (ms) => `${decimal.format(Math.round(ms))} ms`,
  share: (ratio) => `${decimal.format(ratio * 100)} %`,
  refused: "The test cannot run now. Wait half a minute, then try again.",
  takenAt: (when) => `Tested at ${when}`,
};
