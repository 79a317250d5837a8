/** The start page: an invitation without its link leads from here to the right page. */
import { signal } from "@preact/signals";
import { render } from "preact";
import "../ui/style.css";
import { JoinRefused } from "../client/errors";
import { exchange, invitationOfText } from "../client/invitation";
import { words } from "../i18n";
import { ErrorCard } from "../ui/parts";
import { CodeForm } from "./code";
import { Frame } from "./entry";
import { HOME, OPERATIONS_URL, pageUrl } from "./places";

const fault = signal<string | null>(null);

async function go(invitation: string): Promise<void> {
  fault.value = null;
  try {
    const admission = await exchange(invitation);
    const home = HOME[admission.role];
    if (home === null) window.location.assign(`${OPERATIONS_URL}#${invitation}`);
    else window.location.assign(pageUrl(home, admission.room, invitation));
  } catch (error) {
    fault.value = error instanceof JoinRefused ? error.code : "network";
  }
}

function Start() {
  return (
    <Frame page="start">
      {fault.value !== null && <ErrorCard advice={words.value.ending(fault.value)} code={`JOIN-${fault.value}`} />}
      <CodeForm onCode={(invitation) => void go(invitation)} />
    </Frame>
  );
}

const root = document.getElementById("app");
if (root !== null) render(<Start />, root);
const given = invitationOfText(window.location.hash);
if (given !== "") {
  window.history.replaceState(null, "", window.location.pathname);
  void go(given);
}
