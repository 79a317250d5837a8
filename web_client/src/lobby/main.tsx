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
import { HOME, OPERATIONS_URL, START_URL, pageUrl } from "./places";

const fault = signal<string | null>(null);
/** The server shows this page too where it has none. */
const lost = window.location.pathname !== START_URL;

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
      {lost && <p class="fault" role="alert">{words.value.lobby.nowhere}</p>}
      <CodeForm onCode={(invitation) => void go(invitation)} />
    </Frame>
  );
}

const root = document.getElementById("app");
if (root !== null) render(<Start />, root);
function takeFromAddress(): void {
  const given = invitationOfText(window.location.hash);
  if (given === "") return;
  window.history.replaceState(null, "", window.location.pathname);
  void go(given);
}
takeFromAddress();
// A link pasted over the same address only changes what follows its #.
window.addEventListener("hashchange", takeFromAddress);
