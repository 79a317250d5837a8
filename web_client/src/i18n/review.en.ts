/** What the review page says, in English. */
import type { ReviewWords } from "./review.vi";

const decimal = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 1 });

const viewers: ReviewWords["viewers"] = {
  title: "What each viewer got", loading: "Reading…", failed: "It could not be read.",
  unknown: "The quality history holds nothing of this recording any more.", nobody: "Nobody watched while this was recorded.",
  incomplete: "There is more than can be shown here.", absent: "Not there, or not watching",
  numbered: (role, n) => `${role} ${n}`, rowLabel: (who) => `What ${who} got`, because: (what, why) => `${what} – ${why}`,
  levels: {
    full: "Full", reduced: "Poorer picture", stills: "Stills", sound: "Sound only", frozen: "Frozen picture",
    nothing: "Nothing", away: "Not connected",
  },
  reasons: {
    link: "the link carried no more", priority: "a more important picture came first", measuring: "the link was being measured",
    loss: "packets were lost on the way", freeze: "the picture did not move on", hidden: "the viewer hid it", muted: "the source was paused",
    no_signal: "the source sent no picture", disconnected: "nothing was heard of them",
  },
};

export const review: ReviewWords = {
  title: "Review",
  library: "Recordings", search: "Find a recording", searchHelp: "Title, reference, staff – with or without accents",
  staff: "Staff", from: "From day", to: "To day", go: "Search", found: (n) => `${n} recording${n === 1 ? "" : "s"}`,
  more: "There are more: narrow the search.", none: "No recording fits", noneHelp: "Try fewer words, or take out the days.",
  untitled: "Untitled case", open: "Watch", back: "Back to the library", loading: "Opening…",
  states: { recording: "Recording", sealing: "Being sealed", sealed: "Sealed", withdrawn: "Consent withdrawn" },
  date: (ms) => new Intl.DateTimeFormat("en-GB", { dateStyle: "short", timeStyle: "short" }).format(ms),
  time: (ms) => new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" }).format(ms),
  mark: ".",
  play: "Play", pause: "Pause", back10: "Back 10 s", on10: "On 10 s", frameBack: "One frame back", frameOn: "One frame on",
  speed: "Speed", speedOf: (n) => `${n}×`, slower: "Slower", faster: "Faster",
  sound: "Sound", soundOn: "Sound on", soundOff: "Sound off",
  position: "Position in the recording", of: (at, all) => `${at} of ${all}`,
  timeline: "Timeline", thumbnails: "Show thumbnails", quality: "Quality received",
  qualityOf: (share, size) => `${size === "" ? "" : `${size}, `}${decimal.format(share * 100)} % of packets lost`,
  levels: { good: "Good", fair: "Some loss", poor: "Much loss" },
  viewers, noPicture: "NO PICTURE", noSound: "NO SOUND", gapReasons: {
    lost: "Packets were lost on the way", muted: "The source was paused", no_keyframe: "No whole picture had come yet",
    paused: "The source sent no picture", reconnect: "The source was reconnecting", not_recorded: "This source was not recorded",
  },
  waiting: "Loading the picture…",
  pin: (what) => `Enlarge ${what}`, unpin: "Show all",
  bookmarks: "Bookmarks and chapters", addBookmark: "Bookmark this moment", bookmarkLabel: "A note for this moment", save: "Save", cancel: "Cancel",
  removeBookmark: (what) => `Remove ${what}`, live: "marked during the operation", chapterKinds: {
    start: "Recording began", bookmark: "Bookmark", joined: "Somebody joined", left: "Somebody left", withdrawn: "Consent to record withdrawn",
  },
  goTo: (what) => `Go to ${what}`,
  link: "Copy a link to this moment", linkCopied: "Link copied. Whoever gets it needs an invitation to this room.",
  linkFailed: "The browser does not allow copying. Copy the address from the address bar.",
  exports: "Export", form: "Form", forms: {
    mp4: "MP4 film", png: "PNG picture of this moment", jpeg: "JPEG picture of this moment", "dicom-video": "DICOM film", "dicom-still": "DICOM picture of this moment",
  },
  cameras: "Camera", clipStart: "From", clipEnd: "To", setHere: "Take this moment", wholeStart: "the start", wholeEnd: "the end",
  withSound: "With sound", startExport: "Start export",
  exportStates: { waiting: "Waiting", running: "Exporting", finished: "Done", failed: "Could not be exported", cancelled: "Cancelled" },
  progress: (percent, rate) => `${decimal.format(percent)} %, ${decimal.format(rate)} times real time`,
  left: (s) => (s < 90 ? `${Math.ceil(s)} s left` : `${Math.ceil(s / 60)} min left`),
  archive: {
    send: (title) => `Send to the archive (PACS: ${title})`, again: (title) => `Send to the archive again (PACS: ${title})`,
    sending: (percent) => `Sending to the archive: ${decimal.format(percent)} %`, stored: "Stored in the archive",
  },
  download: (name) => `Download ${name}`, remove: "Remove the export", stop: "Cancel the export",
  derived: "An export is a copy. The sealed original does not change.",
  marked: "This moment is marked", markNow: "Mark", markKey: "Mark this moment",
  nothingToMark: "No procedure is open in this room, so nothing can be marked", markFailed: "Not marked. Try again.",
  keys: {
    play: "Play or pause", seek: "Back or on 10 s", frame: "One frame back or on", speed: "Slower or faster",
    bookmark: "Bookmark this moment", chapters: "Chapter before or after", sound: "Sound on or off", link: "Copy a link",
  },
  room: "Room",
  subject: {
    title: "Patient in the DICOM file (left empty: nobody is named)", id: "Patient id", name: "Full name", born: "Date of birth",
    sex: "Sex", sexes: { none: "Not stated", F: "Female", M: "Male", O: "Other" },
  },
  use: {
    question: "What are you watching this for?", kept: "The answer goes into the audit.", watchedFor: (use) => `Watched for: ${use}`,
    uses: { care: "Care of this patient", quality: "Quality review", teaching: "Teaching" },
    help: {
      care: "Looking back for treatment or follow-up.", quality: "Discussing the case within the hospital.",
      teaching: "Opens only where the patient has agreed to teaching.",
    },
  },
  evidence: {
    verified: "Verified: unaltered",
    altered: "NOT VERIFIED: this recording was altered after it was sealed, or part of it is missing. It proves nothing and is not exported. Tell the administrator.",
  },
  faults: {
    altered: {
      title: "The recording was altered after it was sealed", steps: ["No copy is made of it.", "Tell the administrator: “loupe recording verify” names the place."],
    },
    teaching_not_consented: {
      title: "The patient has not agreed to teaching with this case",
      steps: ["It cannot be opened for teaching.", "If the patient agrees, the theatre writes it down under “Procedure”."],
    },
    teaching_withdrawn: {
      title: "The patient has taken back the consent to teaching",
      steps: ["Watching has ended, and it cannot be opened for teaching again.", "Exports made for teaching are gone from the server, too."],
    },
    archive_unreachable: {
      title: "The archive (PACS) cannot be reached", steps: ["Try again later.", "If it fails again, tell the administrator: address, port and AE titles of the configuration."],
    },
    archive_refused: { title: "The archive (PACS) did not take the file", steps: ["Try again.", "If it fails again, tell whoever runs the archive."] },
    no_archive: { title: "This server has no archive (PACS)", steps: ["Tell the administrator."] },
    treatment_link_declined: {
      title: "The patient has declined doctors elsewhere taking part",
      steps: ["Specialists elsewhere cannot open recordings of this case.", "Telephone the theatre if you need to talk."],
    },
    unknown_recording: { title: "There is no such recording", steps: ["Check the link.", "Your invitation may be for another room."] },
    review_off: { title: "This server keeps no recordings", steps: ["Ask the administrator about the recording's master key."] },
    not_permitted: { title: "Your role may not review", steps: ["Ask the organiser for the right invitation."] },
    other: { title: "This could not be done", steps: ["Try again.", "If it fails again, read the code below to support."] },
  },
};
