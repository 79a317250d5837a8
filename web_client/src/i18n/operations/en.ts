/** The operations page. */
import { en as said } from "./said.generated";
import type { OperationsWords } from "./vi";

const decimal = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 1 });

const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "short", timeStyle: "medium" });

const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

export const operations: OperationsWords = {
  title: "Operations",
  board: "Live rooms",
  columns: { state: "State", clinical: "Class", room: "Room", cause: "Cause", since: "For", action: "What to do", people: "People / sources" },
  states: { hurt: "HURT", watch: "WATCH", good: "GOOD", unknown: "NO DATA YET" },
  classes: { surgery: "Surgery", emergency: "Emergency consult", consult: "Consult", teaching: "Teaching", test: "Test" },
  legStates: { good: "good", watch: "watch", hurt: "hurt", down: "disconnected" },
  pictures: {
    black: "picture black", over_exposed: "picture over-exposed", blurred: "picture blurred", corrupt: "picture corrupt",
    unchanged: "picture unchanged", test_pattern: "test pattern",
    not_watched: "picture not watched",
  },
  views: {
    forwarding: "forwarding", switching: "switching", awaiting_keyframe: "awaiting a key frame", nothing_flows: "nothing flows",
    paused_by_viewer: "hidden by the viewer",
  },
  viewReasons: said.reasons,
  series: {
    upRate: "Upload", downRate: "Download", upLoss: "Loss of the upload", downLoss: "Loss of the download", upRtt: "Round trip, upload",
    downRtt: "Round trip, download", trackRate: "Rate", trackFrames: "Frames a second", trackLoss: "Loss", trackDelay: "Delay to the screen",
  },
  events: said.kinds,
  measures: said.measures,
  phases: said.phases,
  directions: { publish: "to the server", subscribe: "from the server" },
  levels: (layers) => `level ${layers}`,
  noPicture: "no picture",
  severities: { watch: "watch", hurt: "hurt" },
  noRooms: "No room is open.",
  noRoomsHelp: "A room appears here when somebody enters it.",
  loading: "Fetching data…",
  dataAge: (s) => `Data ${decimal.format(Math.round(s))} s old`,
  noData: "No data yet",
  stale: (s) => (s === null ? "OLD DATA – do not trust this board" : `DATA ${decimal.format(Math.round(s))} s OLD – do not trust this board`),
  staleHelp: "The server does not answer, or measures no more. Check network and server; rooms may have changed.",
  surgeries: (n) => (n === 0 ? "No surgery live" : n === 1 ? "1 surgery live" : `${n} surgeries live`),
  alerts: (n) => (n === 0 ? "No alerts" : n === 1 ? "1 alert" : `${n} alerts`),
  bellOn: "Bell: on", bellOff: "Bell: off",
  since: (s) =>
    s < 60 ? `${Math.round(s)} s` : s < 3600 ? `${Math.floor(s / 60)} min` : `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`,
  people: (people, viewers, sources) => `${people} people, ${viewers} viewers, ${sources} sources`,
  recording: "Recording",
  back: "Back to the board",
  gone: "This room is not open any more.",
  server: "Server",
  version: (v) => `Version ${v}`,
  load: (worker, ratio) => `Worker ${worker}: ${Math.round(ratio * 100)} %`,
  lag: (s) => `Control lag ${decimal.format(s * 1000)} ms`,
  diskFull: (s) => `Disk full in ${s < 172_800 ? `${decimal.format(s / 3600)} h` : `${Math.floor(s / 86_400)} days`}`,
  diskFree: (bytes) => `${decimal.format(bytes / 1e9)} GB of disk free`,
  historyDropped: (n) => `History: ${n} entries given up (store full, or the disk too slow)`,
  draining: "DRAINING: NOBODY NEW",
  canary: (delay, loss) =>
    `Canary: delay ${delay === null ? "–" : `${Math.round(delay * 1000)} ms`}, loss ${loss === null ? "–" : `${decimal.format(loss * 100)} %`}`,
  canarySilent: (s) => `Canary silent for ${Math.round(s)} s`,
  path: "Path of the pictures",
  sends: "sends", watches: "watches",
  more: (n) => `and ${n} more`,
  nobodySends: "Nobody sends", nobodyWatches: "Nobody watches",
  leg: (state, rtt, loss, bits) =>
    `${state}; round trip ${rtt === null ? "–" : `${Math.round(rtt * 1000)} ms`}, loss ${loss === null ? "–" : `${decimal.format(loss * 100)} %`}, ${decimal.format(bits / 1e6)} Mbit/s`,
  relayed: "by a relay",
  participants: "Participants",
  sources: "Sources sent",
  watched: "Watching",
  looks: (watched, sources, s) =>
    `Pictures checked: ${watched} of ${sources} sources${s === null ? "" : `, each about every ${decimal.format(s)} s`}`,
  looked: (s) => `picture checked ${Math.round(s)} s ago`,
  claims: (s) => `Browser figures ${Math.round(s)} s old`,
  track: (layers, bits, fps) =>
    `layers ${layers}, ${decimal.format(bits / 1e6)} Mbit/s${fps === null ? "" : `, ${Math.round(fps)} fps`}`,
  none: "none",
  charts: "The last ten minutes",
  noSamples: "No samples yet.",
  summary: (name, last, least, most) => `${name}: now ${last}, least ${least}, most ${most}`,
  units: {
    bits: (v) => `${decimal.format(v / 1e6)} Mbit/s`, ratio: (v) => `${decimal.format(v * 100)} %`,
    seconds: (v) => `${decimal.format(v * 1000)} ms`, frames: (v) => decimal.format(v),
    bytes: (v) => `${decimal.format(v / 1e9)} GB`, wholeSeconds: (v) => `${decimal.format(v)} s`,
    minutes: (v) => `${Math.round(v)} min`, hours: (v) => `${decimal.format(v)} h`,
  },
  moment: "At",
  clock: (ms) => clock.format(ms),
  timeline: "Timeline",
  noEvents: "No events in the last ten minutes.",
  findings: "Trouble",
  noFindings: "No trouble.",
  evidence: (measure, value, limit) => `${measure}: ${value} (limit ${limit})`,
  report: "Incident report (printable)",
  actions: {
    keyframe: "Ask for a key frame", thumbnail: "Show one picture", mute: "Pause the source", unmute: "Resume the source", limit: "Limit the top layer",
    unlimited: "No limit", level: (n) => `Layer ${n}`, reconnect: "Move (connect anew)", remove: "Remove from the room",
    drain: "Stop the server for maintenance",
  },
  confirm: {
    title: "Confirm", yes: "Confirm", no: "Cancel", working: "Working…", done: "Done.",
    keyframe: (what) => `Asks for one key frame of ${what}. The picture may stutter for a moment.`,
    thumbnail: (what) =>
      `Shows one small picture of ${what} as it is now. It may show a patient; that you looked is kept in the audit log. Nobody keeps the picture.`,
    shown: "The picture you asked for", close: "Close",
    unseen: (code) => {
      if (code === "picture_not_watched") return "The server does not check this source's picture, so there is none to show.";
      if (code === "outside_viewers_not_consented" || code === "teaching_not_consented") {
        return "The patient has not consented to viewers from outside, so no picture is shown.";
      }
      if (code === "no_picture_yet") return "No picture came within 3 seconds: the source may be paused, or its link poor. Try again.";
      if (code === "limit_reached") return "Somebody is asking for a picture already. Try again in a moment.";
      return `No picture could be had (code: ${code}).`;
    },
    mute: (what) => `${what} will be forwarded to nobody.`,
    unmute: (what) => `${what} will be forwarded to its viewers again.`,
    limit: (what, level) => `Everybody who watches ${what} gets at most: ${level}.`,
    reconnect: (who) => `${who} is disconnected and comes back at once by itself; picture and sound are gone for seconds.`,
    remove: (who) => `${who} is put out of the room and does not come back by itself.`,
    drain: "The server lets nobody new in, tells everybody to move, and stops.",
    unexcused: "A surgery or emergency is live in this room: this interrupts it.",
    reason: "Reason (10 letters or more; the audit keeps it)",
    interlock: (n) => (n === 1 ? "1 surgery live: restart refused." : `${n} surgeries live: restart refused.`),
    failed: (code) => `It could not be done (code: ${code}).`,
  },
  past: {
    open: "Look back at earlier rooms", title: "Earlier rooms", day: "Day", search: "Search by room", none: "No such room on this day.",
    opened: "Opened", closed: "Closed", standing: "still open",
    sealed: (n) => `${n} more whose names this server cannot read: type the whole name and press Enter.`, moment: (ms) => exact.format(ms),
    window: (from, to) => exact.formatRange(from, to), from: "From",
    earlier: "The ten minutes before", later: "The ten minutes after", more: "There is more than is shown here: what stands below is not complete.",
    dropped: (ms) => `Figures before ${exact.format(ms)} were dropped: the store was full, or their time was over.`,
    nobody: "Nobody was in the room then.", choose: "Choose somebody to see what they saw.",
    at: (ms) => `At ${exact.format(ms)}`, absent: "Nothing is known of this person at that moment.",
    sent: (what) => `Sent ${what}`, saw: (what) => `Watched ${what}`,
    froze: (s) => `frozen for ${decimal.format(s)} s`, nothing: "Neither sent nor watched anything.",
    charts: "Charts of these ten minutes", noEvents: "Nothing happened in these ten minutes.",
  },
  csv: "Figures (CSV table)",
  openReport: "Open the report",
  fileFailed: (code) => {
    if (code === "network") return "It could not be had: the server does not answer. Try again.";
    if (code === "timeout") return "The server takes too long. Try again, or choose a shorter span of time.";
    if (code === "limit_reached") return "Others are making reports. Try again in a minute.";
    return `It could not be had. Tell the administrator the code ${code}.`;
  },
  noPictures: "This page never shows patients' pictures.",
  fewPictures: "This page shows one small picture only when somebody asks; each time is kept in the audit log.",
  access: "You cannot see this page",
  accessHelp: ["It needs an operator's invitation.", "Ask the administrator: loupe token --room '*' --role operator --invitation"],
};
