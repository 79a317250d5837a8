/** English: why a recording did not start or stop. */
export const recordingFaults: Record<string, string> = {
  consent_missing: "There is no consent to recording for this procedure, so nothing is recorded.",
  not_permitted: "You may not record in this room.",
  recording_off: "The server has no security key, so it cannot record. Tell the administrator.",
  already_recording: "This room is being recorded already.",
  not_recording: "This room is no longer being recorded.",
  other: "That did not work. Press again; if it still fails, tell the administrator.",
};
