/** English: the second language; the type makes sure that nothing is left out. */
import { review } from "./review.en";
import { procedure } from "./procedure.en";
import { recordingFaults } from "./recording.en";
import { operations } from "./operations/en";
import { precall } from "./precall/en";
import type { Advice, Dictionary } from "./vi";

const decimal = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 1 });

const lock = (device: string): readonly string[] => [
  "Press the padlock beside the page's address.", `Choose “Allow” for ${device}.`, "Press “Try again”.",
];
const https: readonly string[] = ["Open the link that starts with https://.", "If you have none, ask whoever sent it."];

const endings: Record<string, Advice> = {
  left: { title: "You have left the room", steps: ["Press “Join again” to come back."] },
  removed: { title: "You were removed from the room", steps: ["Ask the moderator if this is a mistake."] },
  room_closed: { title: "This session has ended", steps: ["You can close the page."] },
  server_draining: { title: "The server is stopping for maintenance", steps: ["Wait a minute, then press “Join again”."] },
  worker_failed: { title: "The server had a fault", steps: ["Press “Join again”."] },
  replaced: { title: "This session was opened elsewhere", steps: ["Keep one page open and close this one."] },
  closed_4409: { title: "This session was opened elsewhere", steps: ["Keep one page open and close this one."] },
  closed_4412: { title: "You were removed from the room", steps: ["Ask the moderator if this is a mistake."] },
  invitation_invalid: {
    title: "This invitation no longer works",
    steps: ["It may have expired or been withdrawn.", "Ask the organiser for a new link."],
  },
  unauthorized: {
    title: "This invitation no longer works",
    steps: ["It may have expired or been withdrawn.", "Ask the organiser for a new link."],
  },
  not_permitted: { title: "This link may not enter this page", steps: ["Ask the organiser for the right link."] },
  outside_viewers_not_consented: {
    title: "The patient has not agreed to viewers from outside",
    steps: ["You can watch once the theatre has written down that they agree.", "Ask the organiser, then try again."],
  },
  teaching_not_consented: {
    title: "The patient has not agreed to teaching with this case",
    steps: ["You can watch once the theatre has written down that they agree.", "Ask the organiser, then try again."],
  },
  treatment_link_declined: {
    title: "The patient has declined doctors elsewhere taking part",
    steps: ["Telephone the theatre if you need to talk."],
  },
  no_page: { title: "This role has no page with pictures", steps: ["Operators do not see patients' pictures."] },
  unknown_room: { title: "There is no such room", steps: ["Check the link.", "Ask the organiser for a new one."] },
  room_full: { title: "The room is full", steps: ["Wait a little, then press “Try again”."] },
  draining: { title: "The server is stopping for maintenance", steps: ["Wait a minute, then press “Try again”."] },
  network: { title: "The server cannot be reached", steps: ["Check the network cable or Wi-Fi.", "Press “Try again”."] },
};

export const en: Dictionary = {
  code: "en",
  languageName: "English",
  product: "Loupe",
  seconds: (s) => `${decimal.format(s)} s`,
  number: (n) => decimal.format(n),
  clock: (ms) => new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" }).format(ms),
  pages: { theatre: "Theatre", consult: "Consult", observe: "Observe", review: "Review", start: "Enter a room" },
  roomName: (id) => `Room ${id}`,
  sourceTypes: {
    endoscope: "Endoscope", overhead: "Overhead camera", ultrasound: "Ultrasound", monitor: "Vital-signs monitor",
    room: "Whole room", microphone: "Microphone", other: "Other source",
  },
  roles: {
    surgeon: "Operating surgeon", staff: "Theatre staff", specialist: "Specialist", moderator: "Moderator",
    observer: "Observer", operator: "Operator", auditor: "Auditor",
  },
  levels: { good: "Good", fair: "Fair", poor: "Poor", lost: "Disconnected", unknown: "Measuring", present: "Connected" },
  causes: { upload: "your upload", download: "your download", device: "this device is overloaded",
    remote: "the other side", server: "the server is overloaded" },
  standing: {
    trouble: { link: "Your link is weak", publisher: "The theatre's upload is weak", server: "The server is overloaded" },
    uploadOf: (who) => `The upload of ${who} is weak`,
    left: {
      full: "poorer picture", reduced: "smaller picture", stills: "stills and sound only", sound: "sound only",
      silent: "nothing arrives, check the network",
    },
    theirs: {
      full: "sees a poorer picture", reduced: "sees a smaller picture", stills: "sees stills only", sound: "hears sound only",
      silent: "receives nothing",
    },
    again: "sees moving pictures again",
    sentence: (cause, rest) => `${cause}: ${rest}`,
    news: (name, what) => `${name} ${what}`,
  },
  reasons: {
    full: "the best there is", shown_small: "enough for the size shown",
    limited: "limited by an operator", hidden: "you hid it", muted: "paused at its source",
    publisher: "its source sends less than usual", no_signal: "its source sends nothing", measuring: "measuring the link",
    settling: "soon better", priority: "a more important source comes first", link: "your link carries no more",
    silent: "nothing is heard of this device",
  },
  legs: {
    title: "The way of picture and sound", upload: (label) => `${label} → server`, download: "Server → you",
    loss: (percent) => `${decimal.format(percent)} % lost`, roundTrip: (ms) => `round trip ${decimal.format(ms)} ms`,
    jitter: (ms) => `jitter ${decimal.format(Math.round(ms))} ms`,
    carries: (can, sent) => `carries ${decimal.format(can)} kbit/s, uses ${decimal.format(sent)}`,
    repair: (percent) => `${decimal.format(percent)} % sent again`, nothing: "this picture is not sent",
    sound: "sound", noSound: "this sound is not sent",
    layer: (index, count) => (count === 1 ? "one size" : `size ${index} of ${count}`),
    still: (seconds) => `a still every ${decimal.format(seconds)} s`,
  },
  quality: (level, cause) => (cause === null ? level : `${level}: ${cause}`),
  devices: {
    video: {
      denied: { title: "The camera is blocked", steps: lock("Camera") },
      missing: { title: "No camera found", steps: ["Plug the camera in again.", "Switch it on.", "Press “Try again”."] },
      in_use: {
        title: "Another program is using the camera",
        steps: ["Close Zalo, Zoom, Teams or another page that has it.", "Press “Try again”."],
      },
      insecure: { title: "This page is not secure, so the browser withholds the camera", steps: https },
      cancelled: { title: "No camera chosen", steps: ["Press “Try again” to choose."] },
      unknown: { title: "The camera could not be opened", steps: ["Unplug it and plug it in again.", "Press “Try again”."] },
    },
    audio: {
      denied: { title: "The microphone is blocked", steps: lock("Microphone") },
      missing: { title: "No microphone found", steps: ["Plug in a microphone or headset.", "Press “Try again”."] },
      in_use: {
        title: "Another program is using the microphone",
        steps: ["Close Zalo, Zoom, Teams or another page that has it.", "Press “Try again”."],
      },
      insecure: { title: "This page is not secure, so the browser withholds the microphone", steps: https },
      cancelled: { title: "No microphone chosen", steps: ["Press “Try again” to choose."] },
      unknown: { title: "The microphone could not be opened", steps: ["Unplug it and plug it in again.", "Press “Try again”."] },
    },
    screen: {
      denied: { title: "The browser may not share the screen", steps: ["Allow screen recording in the system settings."] },
      missing: { title: "This browser cannot share a screen", steps: ["Use Chrome, Edge or Firefox on a computer."] },
      in_use: { title: "This screen cannot be captured", steps: ["Choose another window."] },
      insecure: { title: "This page is not secure", steps: https },
      cancelled: { title: "No screen chosen", steps: ["Press “Add screen” to choose again."] },
      unknown: { title: "The screen could not be shared", steps: ["Try again with another window."] },
    },
  },
  ending: (code) =>
    endings[code] ?? { title: "The room could not be entered", steps: ["Press “Try again”.", "If it fails again, read the code below to support."] },
  errorCode: (code) => `Error code: ${code}`,
  phase: {
    joining: "Joining…", joined: "Connected", live: "LIVE", reconnecting: "Connection lost – reconnecting…", ended: "Disconnected",
    offline: "This device is offline", mediaLost: "Picture and sound lost – reconnecting…",
    mediaGoOn: "Picture and sound go on – reconnecting to the server…", mediaConnecting: "Connecting picture and sound…", somethingFrozen: "A PICTURE IS FROZEN",
    stills: "STILLS", sound: "SOUND ONLY",
  },
  tile: {
    live: "LIVE", waiting: "Waiting for the picture…", stalled: "No picture yet – the source sends nothing",
    late: (s) => `LATE ${decimal.format(s)} s`,
    still: (s) => `STILL, ${decimal.format(s)} s ago`, withheld: "Weak link: this picture is held back",
    frozen: "FROZEN", ago: (s) => `${decimal.format(s)} s ago`, recovering: "coming back…",
    muted: "The source is paused", paused: "You have hidden this source",
    pin: "Enlarge", unpin: "Shrink", fullScreen: "Full screen", hide: "Hide", show: "Show", from: (n) => `from ${n}`,
    monitorNote: "Picture of a monitor – not for monitoring",
  },
  lobby: {
    name: "Your name", namePlaceholder: "For example: Dr Nguyễn Văn An", join: "Join", joinSending: "Join and send",
    joining: "Joining…", camera: "Camera", microphone: "Microphone", cameraOn: "Use the camera", level: "Sound level",
    heard: "The microphone works: sound is heard.", noSignal: "Say something: no sound heard yet.",
    withoutDevices: "Join anyway, to watch and listen", retry: "Try again", rejoin: "Join again",
    allow: "The browser will ask: press “Allow”.", watchOnly: "You will watch and listen. Nobody sees or hears you.",
    willSend: (what) => `Will be sent: ${what}`, nothingToSend: "Nothing chosen to send yet",
    nowhere: "This address leads to no room: part of the link may be missing. Paste the whole link again, or ask for it to be sent again.",
    codeTitle: "Enter your invitation", codeHelp: "Paste the link or code you received.", codeLabel: "Invitation link or code",
    codeGo: "Continue", codeEmpty: "This field is empty: paste the link or code.", checking: "Checking the invitation…",
    wrongPage: (role) => `This invitation is for: ${role}`, goThere: "Open the right page",
    safety: "Loupe is for consultation and teaching. No remote control of instruments.",
    noPreview: "No preview yet", defaultDevice: "Default device", preview: "Preview",
  },
  theatre: {
    sources: "Sources of this theatre", addCamera: "Add camera", addScreen: "Add screen", addMicrophone: "Add microphone",
    type: "Type of picture", label: "Name shown", device: "Device", start: "Send this source", starting: "Starting…",
    stop: "Stop sending", stopAll: "Stop all", remove: "Remove", mute: "Pause", unmute: "Resume",
    muteSound: "Mute", unmuteSound: "Unmute", sendingNow: "SENDING", mutedNow: "PAUSED", soundMuted: "MUTED",
    connecting: "Connecting…", notSending: "Not sending",
    nothingLive: "Nothing is being sent", ended: "The device stopped. Check the cable, then add it again.",
    count: (video, audio) => `${video} picture${video === 1 ? "" : "s"}, ${audio} sound${audio === 1 ? "" : "s"}`,
    measured: (w, h, fps, kbit) =>
      w === 0 ? `${decimal.format(Math.round(kbit))} kbit/s` : `${w}×${h}, ${Math.round(fps)} fps, ${decimal.format(Math.round(kbit))} kbit/s`,
    remote: "Specialists and participants", nobody: "Nobody else is in the room yet.", stopAllConfirm: "Stop every source being sent",
    failed: "This source could not be sent. Press “Send this source” to try again.",
  },
  precall,
  operations,
  consult: {
    empty: "No picture from the theatre yet", emptyHelp: "It appears by itself when the theatre starts to send.",
    talk: "Turn microphone on", talking: "Speaking", muted: "Muted", mute: "Turn microphone off", noMicrophone: "No microphone",
    holdToTalk: "Hold the space bar to talk", cameraOn: "Camera on", cameraOff: "Camera off", all: "All",
    people: "Participants", chat: "Messages", chatPlaceholder: "Write a message", send: "Send", chatEmpty: "No messages yet.",
    chatFailed: "The message was not sent. Try again.", close: "Close", you: "you", hidden: "Hidden source",
    unread: (n) => `${n} new`,
  },
  sound: { tap: "Tap to hear the sound", on: "Sound on", off: "Sound off", turnOff: "Sound off", turnOn: "Sound on" },
  bar: { leave: "Leave", help: "Shortcuts", language: "Language", link: "Your network" },
  endRoom: {
    button: "End for everyone", title: "End the session for everyone?", no: "No, go on",
    what: (n) => `All ${n} people lose picture and sound at once. Invitations stay valid.`,
    failed: "The session was not ended. Try again.",
  },
  toast: {
    deviceAdded: "A new device was plugged in", deviceRemoved: "A device was unplugged",
    joined: (n) => `${n} joined`, left: (n) => `${n} left`, someone: "Somebody", backOnline: "Connected again",
  },
  review,
  procedure,
  recording: {
    on: "RECORDING", start: "Start recording", stop: "Stop recording",
    diskLow: (minutes) => (minutes < 1
      ? "The recording disk is about to be full. Tell the administrator NOW." : `The recording disk has room for about ${minutes} min. Tell the administrator now.`),
    failing: "This is NOT BEING RECORDED. Tell the administrator now; the operation goes on.",
    interrupted: "The last recording ended. This room is NOT BEING RECORDED.", goOn: "Go on recording", leaveOff: "Do not record",
    faults: recordingFaults,
  },
  keys: {
    title: "Keyboard shortcuts", close: "Close", mute: "Microphone on or off", talk: "Hold to talk", camera: "Camera on or off",
    pin: "Enlarge source 1 to 9", unpin: "Back to all", full: "Full screen", chat: "Open or close messages",
    help: "Open this sheet", space: "Space bar", speaker: "Sound on or off",
  },
};
