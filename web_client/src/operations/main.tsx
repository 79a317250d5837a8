/** The operations page: who is hurt, why, and what to do. It shows no picture, or one that is asked for, where allowed. */
import { signal } from "@preact/signals";
import { render } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import "../ui/style.css";
import "./operations.css";
import { forgetInvitation, takeInvitation } from "../client/invitation";
import { words } from "../i18n";
import { CodeForm } from "../lobby/code";
import { place } from "../lobby/places";
import { ErrorCard } from "../ui/parts";
import { AlertBar } from "./alerts";
import { OperationsApi } from "./api";
import { isStale } from "./age";
import { Board } from "./board";
import { ConfirmDialog } from "./confirm";
import { Desk } from "./desk";
import { Header } from "./header";
import { PastRooms } from "./past";
import { PastRoom } from "./pastroom";
import { followAddress, selected } from "./place";
import { RoomView } from "./room";

const invitation = signal<string | null>(null);

function Page({ code }: { code: string }) {
  const desk = useMemo(() => new Desk(new OperationsApi(code)), [code]);
  return <Live desk={desk} />;
}

function Live({ desk }: { desk: Desk }) {
  const t = words.value.operations;
  useEffect(() => desk.start(), [desk]);
  const access = desk.access.value;
  const received = desk.received.value;
  const hurt = received?.board.rows.filter((row) => row.state === "hurt").length ?? 0;
  const stale = isStale(received, desk.nowMs.value);
  useEffect(() => {
    document.title = `${stale || hurt > 0 ? "⚠ " : ""}${t.title}${hurt > 0 ? ` (${hurt})` : ""} – Loupe`;
  });
  if (access.kind === "refused" && received === null) return <Refused code={access.code} />;
  return (
    <div class="operations" data-stale={stale}>
      <Header desk={desk} />
      <AlertBar desk={desk} />
      <main><Opened desk={desk} /></main>
      <footer>{received?.board.server.pictures?.thumbnails === true ? t.fewPictures : t.noPictures}</footer>
      <ConfirmDialog api={desk.api} surgeries={received?.board.live_surgeries ?? 0} />
    </div>
  );
}

function Opened({ desk }: { desk: Desk }) {
  const { room, past } = selected.value;
  if (past !== null) return room === null ? <PastRooms desk={desk} dayMs={past} /> : <PastRoom desk={desk} room={room} fromMs={past} />;
  return room === null ? <Board desk={desk} /> : <RoomView desk={desk} />;
}

function Refused({ code }: { code: string }) {
  const t = words.value.operations;
  return (
    <div class="frame">
      <main>
        <ErrorCard advice={{ title: t.access, steps: t.accessHelp }} code={`OPS-${code}`} />
        <CodeForm onCode={enter} />
      </main>
    </div>
  );
}

function enter(code: string): void {
  forgetInvitation(place);
  place.storage.setItem("loupe.invitation.", code);
  invitation.value = code;
}

function Entry() {
  const code = invitation.value;
  if (code !== null) return <Page code={code} />;
  return <div class="frame"><main><CodeForm onCode={enter} /></main></div>;
}

invitation.value = takeInvitation(place);
followAddress();
const root = document.getElementById("app");
if (root !== null) render(<Entry />, root);
