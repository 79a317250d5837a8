/** Procedures and consents in English. */
import type { ProcedureWords } from "./procedure.vi";

export const procedure: ProcedureWords = {
  title: "Procedure", loading: "Loading…", reference: "Patient reference (no name)", name: "What is done", open: "Open procedure",
  openHelp: "Nothing can be recorded before a procedure is open.", confirm: "Patient confirmed by two identifiers",
  confirmed: "Patient confirmed", unconfirmed: "Patient not confirmed yet", close: "Close procedure",
  closeConfirm: "Close this procedure? The room can then take another.",
  retention: "Recordings are kept as", retentions: { clinical: "Medical record", teaching: "Teaching material", test: "Trial, kept briefly" },
  consents: "Consents", who: "Who decides", relation: "As", form: "How", whoFirst: "First write down who decides.",
  give: "Agrees", refuse: "Refuses", withdraw: "Withdraws",
  states: { given: "Agreed", refused: "Refused", withdrawn: "Withdrawn", none: "Not asked yet", emergency: "Emergency" },
  mayRecord: "May be recorded", mayNotRecord: (missing) => `Not to be recorded: consent to “${missing}” is missing`,
  noProcedure: "Not to be recorded: no procedure is open",
  emergency: "Emergency: the patient cannot be asked", emergencyHelp: "Somebody else will review this reason.", reason: "Reason",
  emergencyFor: (purpose) => `Emergency: ${purpose}`,
  answerFor: (answer, purpose) => `${answer}: ${purpose}`,
  purposes: {
    treatment_link: "Link for treatment", recording: "Recording", teaching: "Teaching", outside_viewers: "Outside viewers",
  },
  texts: {
    treatment_link: "Picture and sound of this procedure are sent to doctors elsewhere who help to treat.",
    recording: "Picture and sound of this procedure are recorded and kept secret. You can withdraw at any time.",
    teaching: "Students watch this procedure to learn. Nobody says your name.",
    outside_viewers: "People from outside this hospital watch this procedure.",
  },
  relations: { patient: "Patient", guardian: "Guardian", relative: "Relative", representative: "Representative" },
  forms: { written: "Signed on paper", spoken: "Spoken", read_aloud: "Read out, then agreed", electronic: "Signed electronically" },
  faults: {
    no_master_key: "The server has no security key yet, so no procedure can be opened. Tell the administrator.",
    procedure_open: "This room has another procedure. Close that one first.",
    procedure_closed: "This procedure is closed.",
    consent_missing: "A decision was taken already; the emergency way is for patients who cannot be asked.",
    nothing_to_withdraw: "There is no consent to withdraw.",
    network: "The server cannot be reached. Check the network and press again.",
    database_failed: "The server cannot save this now. Press again in a few minutes.",
    other: "This was not done. Press again; if it fails again, tell the administrator.",
  },
};
