/**
 * The way into a room, the same on every page: invitation -> who am I -> lobby -> room -> goodbye. One state at a time.
 */
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { render } from "preact";
import { useEffect } from "preact/hooks";
import { JoinRefused } from "../client/errors";
import { exchange, forgetInvitation, keepInvitation, roomOfPath, takeInvitation } from "../client/invitation";
import type { Admission } from "../client/invitation";
import { Session } from "../client/session";
import { words } from "../i18n";
import { exposeDebug } from "../ui/debug";
import { Icon } from "../ui/icons";
import { Button, ErrorCard } from "../ui/parts";
import { LanguageSwitch } from "../ui/shell";
import type { PageName } from "../ui/shell";
import { CodeForm } from "./code";
import { HOME, mayUse, pageUrl, place } from "./places";
import { PrecallTest } from "./precall";

type Step =
  | { kind: "code" }
  | { kind: "checking" }
  | { kind: "refused"; code: string; retryable: boolean }
  | { kind: "elsewhere"; invitation: string; admission: Admission }
  | { kind: "lobby"; invitation: string; admission: Admission }
  | { kind: "room"; session: Session }
  | { kind: "over"; reason: string };

export interface EntryPage {
  page: PageName;
  /** What is chosen before joining; it calls `join` with what to do once in the room. */
  lobby: (props: LobbyProps) => ComponentChildren;
  room: (props: { session: Session }) => ComponentChildren;
}

export interface LobbyProps {
  admission: Admission;
  join: (prepare?: (session: Session) => void) => void;
}

const step = signal<Step>({ kind: "checking" });
const name = signal("");

async function check(page: PageName, invitation: string): Promise<void> {
  step.value = { kind: "checking" };
  try {
    const admission = await exchange(invitation);
    keepInvitation(place, invitation);
    name.value ||= admission.name ?? "";
    const right = mayUse(page, admission.role) && admission.room === roomOfPath(place.location.pathname);
    step.value = { kind: right ? "lobby" : "elsewhere", invitation, admission };
  } catch (error) {
    const refusal = error instanceof JoinRefused ? error : new JoinRefused("network", true);
    if (refusal.code === "invitation_invalid") forgetInvitation(place);
    step.value = { kind: "refused", code: refusal.code, retryable: refusal.retryable };
  }
}

function enter(invitation: string, admission: Admission, prepare?: (session: Session) => void): void {
  const session = new Session({ invitation, admission, name: name.value.trim().normalize("NFC") });
  exposeDebug(session);
  const stop = session.signalling.phase.subscribe((phase) => {
    if (phase.kind !== "ended") return;
    step.value = { kind: "over", reason: phase.reason };
    queueMicrotask(() => stop());
  });
  session.start();
  prepare?.(session);
  step.value = { kind: "room", session };
}

function begin(page: PageName): void {
  const invitation = takeInvitation(place);
  if (invitation === null) step.value = { kind: "code" };
  else void check(page, invitation);
}

function Entry(props: EntryPage) {
  const { page } = props;
  useEffect(() => {
    begin(page);
    // A second link opened in this tab changes only the fragment: the browser does not load the page again.
    const again = (): void => {
      if (window.location.hash !== "" && step.value.kind !== "room") begin(page);
    };
    window.addEventListener("hashchange", again);
    return () => window.removeEventListener("hashchange", again);
  }, []);
  const now = step.value;
  if (now.kind === "room") return <>{props.room({ session: now.session })}</>;
  return (
    <Frame page={page}>
      <Before {...props} now={now} />
    </Frame>
  );
}

function Before({ page, lobby: Lobby, now }: EntryPage & { now: Exclude<Step, { kind: "room" }> }) {
  const t = words.value;
  switch (now.kind) {
    case "code":
      return <CodeForm onCode={(code) => void check(page, code)} />;
    case "checking":
      return <p class="card checking" role="status"><span class="spinner" /> {t.lobby.checking}</p>;
    case "refused":
      return (
        <>
          <ErrorCard advice={t.ending(now.code)} code={`JOIN-${now.code}`}>
            {now.retryable && <Button tone="main" icon="retry" word={t.lobby.retry} onPress={() => begin(page)} />}
          </ErrorCard>
          {!now.retryable && <CodeForm onCode={(code) => void check(page, code)} />}
        </>
      );
    case "elsewhere":
      return <Elsewhere admission={now.admission} invitation={now.invitation} />;
    case "lobby":
      return (
        <section class="card lobby">
          <h2>{t.roomName(now.admission.room)} – {t.roles[now.admission.role]}</h2>
          <NameField />
          <Lobby admission={now.admission} join={(prepare) => enter(now.invitation, now.admission, prepare)} />
          <PrecallTest invitation={now.invitation} role={now.admission.role} />
        </section>
      );
    case "over":
      return (
        <ErrorCard advice={t.ending(now.reason)} code={now.reason === "left" ? undefined : `END-${now.reason}`}>
          <Button tone="main" icon="retry" word={t.lobby.rejoin} onPress={() => begin(page)} />
        </ErrorCard>
      );
  }
}

function NameField() {
  const t = words.value.lobby;
  return (
    <div class="field">
      <label for="name">{t.name}</label>
      <input
        id="name" value={name.value} maxLength={64} autocomplete="name" placeholder={t.namePlaceholder}
        onInput={(event) => (name.value = event.currentTarget.value)}
      />
    </div>
  );
}

function Elsewhere({ admission, invitation }: { admission: Admission; invitation: string }) {
  const t = words.value;
  const home = HOME[admission.role];
  if (home === null) return <ErrorCard advice={t.ending("no_page")} code="JOIN-no_page" />;
  const go = (): void => {
    window.location.assign(pageUrl(home, admission.room, invitation));
    // Only the fragment differs when the page is the same: then nothing loads by itself.
    if (window.location.pathname === `/${home}/${encodeURIComponent(admission.room)}`) window.location.reload();
  };
  return (
    <section class="card">
      <h2>{t.lobby.wrongPage(t.roles[admission.role])}</h2>
      <p>{t.roomName(admission.room)} – {t.pages[home]}</p>
      <Button tone="main" icon="check" word={t.lobby.goThere} onPress={go} />
    </section>
  );
}

/** The frame of everything before and after the room. */
export function Frame({ page, children }: { page: PageName | "start"; children: ComponentChildren }) {
  const t = words.value;
  useEffect(() => {
    document.title = `${t.pages[page]} – ${t.product}`;
  });
  return (
    <div class="frame" data-page={page}>
      <header class="bar">
        <h1><Icon name="camera" /> {t.product} <span class="room-name">{t.pages[page]}</span></h1>
        <div class="bar-actions"><LanguageSwitch /></div>
      </header>
      <main>{children}</main>
      <footer>{t.lobby.safety}</footer>
    </div>
  );
}

/** Puts a page on the screen. */
export function open(page: EntryPage): void {
  const root = document.getElementById("app");
  if (root !== null) render(<Entry {...page} />, root);
}
