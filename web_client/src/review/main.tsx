/** The review page: invitation -> library -> one recording. One state at a time. */
import { signal } from "@preact/signals";
import { render } from "preact";
import { useEffect } from "preact/hooks";
import "../ui/style.css";
import "./review.css";
import { JoinRefused } from "../client/errors";
import { exchange, forgetInvitation, keepInvitation, roomOfPath, takeInvitation } from "../client/invitation";
import { words } from "../i18n";
import { CodeForm } from "../lobby/code";
import { mayUse, place } from "../lobby/places";
import { Button, ErrorCard } from "../ui/parts";
import { LanguageSwitch } from "../ui/shell";
import { codeOf, ReviewApi } from "./api";
import { adviceOn } from "./faults";
import { Library } from "./library";
import { momentOf } from "./model";
import type { Detail, Use } from "./model";
import { UseQuestion } from "./use";
import { Watch } from "./watch";

type Step =
  | { kind: "code" }
  | { kind: "checking" }
  | { kind: "refused"; code: string }
  | { kind: "library"; api: ReviewApi }
  | { kind: "asking"; api: ReviewApi; recording: string; what: string; seconds: number }
  | { kind: "opening"; api: ReviewApi }
  | { kind: "watching"; api: ReviewApi; detail: Detail; seconds: number }
  | { kind: "fault"; api: ReviewApi; code: string };

const step = signal<Step>({ kind: "checking" });

/** A fragment names a moment, or brings an invitation; a link to a moment uses the invitation this tab holds. */
function begin(): void {
  const moment = momentOf(window.location.hash);
  if (moment !== null) window.history.replaceState(null, "", window.location.pathname);
  const invitation = takeInvitation(place);
  if (invitation === null) step.value = { kind: "code" };
  else void check(invitation, moment);
}

async function check(invitation: string, moment: ReturnType<typeof momentOf>): Promise<void> {
  step.value = { kind: "checking" };
  try {
    const admission = await exchange(invitation);
    keepInvitation(place, invitation);
    if (!mayUse("review", admission.role) || admission.room !== roomOfPath(place.location.pathname)) {
      step.value = { kind: "refused", code: "not_permitted" };
      return;
    }
    const api = new ReviewApi(invitation, admission);
    if (moment === null) step.value = { kind: "library", api };
    else askUse(api, moment.recording, "", moment.seconds);
  } catch (error) {
    const code = error instanceof JoinRefused ? error.code : "network";
    if (code === "invitation_invalid") forgetInvitation(place);
    step.value = { kind: "refused", code };
  }
}

function askUse(api: ReviewApi, recording: string, what: string, seconds: number): void {
  step.value = { kind: "asking", api, recording, what, seconds };
}

async function openRecording(api: ReviewApi, recording: string, seconds: number, use: Use): Promise<void> {
  step.value = { kind: "opening", api };
  try {
    step.value = { kind: "watching", api, detail: await api.open(recording, use), seconds };
  } catch (error) {
    step.value = { kind: "fault", api, code: codeOf(error) };
  }
}

/** What is watched may go on no longer, which is said. */
function lost(api: ReviewApi, code: string): void {
  step.value = { kind: "fault", api, code: code === "teaching_not_consented" ? "teaching_withdrawn" : code };
}

function Page() {
  const t = words.value;
  const now = step.value;
  useEffect(begin, []);
  const title = now.kind === "watching" && now.detail.entry.title !== "" ? now.detail.entry.title : t.review.library;
  useEffect(() => {
    document.title = `${t.review.title} – ${t.product}`;
  });
  const back = now.kind === "watching" || now.kind === "fault" || now.kind === "asking";
  return (
    <div class="shell review">
      <header class="bar">
        <h1>{t.review.title} <span class="room-name">{title}</span></h1>
        <div class="bar-actions">
          {back && <Button icon="back" word={t.review.back} onPress={() => (step.value = { kind: "library", api: now.api })} />}
          <LanguageSwitch />
        </div>
      </header>
      <Body now={now} />
    </div>
  );
}

function Body({ now }: { now: Step }) {
  const t = words.value;
  switch (now.kind) {
    case "code":
      return <main class="review-page"><CodeForm onCode={(code) => void check(code, null)} /></main>;
    case "checking":
      return <main class="review-page"><p class="card checking" role="status"><span class="spinner" /> {t.lobby.checking}</p></main>;
    case "opening":
      return <main class="review-page"><p class="card checking" role="status"><span class="spinner" /> {t.review.loading}</p></main>;
    case "refused":
      return (
        <main class="review-page">
          <ErrorCard advice={adviceOn(now.code)} code={`REVIEW-${now.code}`} />
          <CodeForm onCode={(code) => void check(code, null)} />
        </main>
      );
    case "fault":
      return <main class="review-page"><ErrorCard advice={adviceOn(now.code)} code={`REVIEW-${now.code}`} /></main>;
    case "library":
      return (
        <main class="review-page">
          <Library api={now.api} open={(entry) => askUse(now.api, entry.id, entry.title, 0)} />
        </main>
      );
    case "asking":
      return (
        <main class="review-page">
          <UseQuestion what={now.what} choose={(use) => void openRecording(now.api, now.recording, now.seconds, use)} />
        </main>
      );
    case "watching":
      return (
        <Watch opened={now.detail} seconds={now.seconds} api={now.api} lost={(code) => lost(now.api, code)} />
      );
  }
}

const root = document.getElementById("app");
if (root !== null) render(<Page />, root);
