/** The frame of a page in a room: state in words at the top, always visible; the page below it. */
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import type { Session } from "../client/session";
import { choose, language, words } from "../i18n";
import { EndRoomButton } from "./end_room";
import { Icon } from "./icons";
import { LinkQuality, LinkSentence, ownStanding, useStandingNews } from "./link";
import { Notices } from "./notices";
import { Button } from "./parts";
import { RecordingInterrupted, RecordingMark, RecordingWarning } from "./recording";
import { sheetOpen } from "./shortcuts";
import { someFrozen, someMoving } from "./watch";

export type PageName = "theatre" | "consult" | "observe" | "review";

/** The connection in one word-group, the worst first. */
export type Standing = "joining" | "connected" | "media_connecting" | "media_lost" | "reconnecting" | "ended";

const LOST: ReadonlySet<RTCIceConnectionState> = new Set(["failed", "disconnected"]);

export function standing(session: Session): Standing {
  const phase = session.phase.value;
  if (phase.kind === "reconnecting") return "reconnecting";
  if (phase.kind === "ended") return "ended";
  if (phase.kind !== "joined") return "joining";
  const publish = session.sending.value.length > 0 ? session.publishing.value?.state.value : undefined;
  const subscribe = session.tracks.value.size > 0 ? session.subscribing.value?.state.value : undefined;
  const states = [publish, subscribe].filter((s) => s !== undefined);
  if (states.some((s) => LOST.has(s))) return "media_lost";
  if (states.some((s) => s === "new" || s === "checking")) return "media_connecting";
  return "connected";
}

/** The theatre's header speaks of what it sends. */
const sends = (page: PageName): boolean => page === "theatre";

/** Pictures and sound do not need the socket: while it is sought anew they may be as live as ever. */
function mediaGoOn(session: Session, page: PageName): boolean {
  if (!sends(page)) return someMoving.value && !someFrozen.value;
  const state = session.sending.value.length > 0 ? session.publishing.value?.state.value : undefined;
  return state === "connected" || state === "completed";
}

export function standingWords(now: Standing): string {
  const t = words.value.phase;
  const texts: Record<Standing, string> = {
    joining: t.joining, connected: t.joined, media_connecting: t.mediaConnecting, media_lost: t.mediaLost,
    reconnecting: t.reconnecting, ended: t.ended,
  };
  return texts[now];
}

interface ShellProps {
  session: Session;
  page: PageName;
  /** What the page title and the header say while all is well: "LIVE" only when something really is. */
  live: boolean;
  liveWords: string;
  children: ComponentChildren;
  actions?: ComponentChildren;
}

export function Shell({ session, page, live, liveWords, children, actions }: ShellProps) {
  const t = words.value;
  const now = standing(session);
  const bad = now === "reconnecting" || now === "media_lost";
  // Stills, and pictures that are not sent at all, stand still by design: the sentence below says why.
  const left = now === "connected" && !sends(page) ? ownStanding(session)?.step : undefined;
  const few = left === "stills" || left === "sound" ? left : undefined;
  const frozen = now === "connected" && few === undefined && someFrozen.value;
  const shownLive = now === "connected" && live && !frozen && few === undefined;
  const goesOn = now === "reconnecting" && mediaGoOn(session, page);
  const text = few !== undefined ? t.phase[few] : frozen ? t.phase.somethingFrozen : shownLive ? liveWords
    : goesOn ? t.phase.mediaGoOn : standingWords(now);
  const tone = bad ? "bad" : frozen || few !== undefined ? "frozen" : shownLive ? "live" : "";
  const room = t.roomName(session.room.value.id);
  useStandingNews(session);
  useEffect(() => {
    document.title = `${bad || tone === "frozen" ? "⚠ " : shownLive ? "● " : ""}${text} – ${room}`;
  }, [text, room, tone]);
  return (
    <div class={`shell ${page}`} data-standing={now}>
      <header class="bar">
        <h1>
          {t.pages[page]} <span class="room-name">{room}</span>
        </h1>
        <p class={`standing ${tone}`} role="status" aria-live="assertive">
          <Icon name={bad || few !== undefined ? "warning" : frozen ? "frozen" : shownLive ? "live" : "check"} /> {text}
        </p>
        <RecordingMark session={session} />
        <LinkQuality session={session} />
        <div class="bar-actions">
          {actions}
          <LanguageSwitch />
          <span class="bar-keys">
            <Button icon="keyboard" word={t.bar.help} hint="?" onPress={() => (sheetOpen.value = !sheetOpen.value)} />
          </span>
          <EndRoomButton session={session} />
          <Button icon="leave" word={t.bar.leave} tone="danger" onPress={() => session.leave()} />
        </div>
      </header>
      <LinkSentence session={session} />
      <RecordingWarning session={session} />
      <RecordingInterrupted session={session} />
      <Notices />
      {children}
    </div>
  );
}

export function LanguageSwitch() {
  return (
    <div class="languages" role="group" aria-label={words.value.bar.language}>
      <button type="button" aria-pressed={language.value === "vi"} lang="vi" onClick={() => choose("vi")}>
        <span aria-hidden="true">VI</span><span class="visually-hidden">Tiếng Việt</span>
      </button>
      <button type="button" aria-pressed={language.value === "en"} lang="en" onClick={() => choose("en")}>
        <span aria-hidden="true">EN</span><span class="visually-hidden">English</span>
      </button>
    </div>
  );
}

/** Keeps the screen on while in a room; browsers drop the lock in the background, so it is taken again. */
export function useWakeLock(): void {
  useEffect(() => {
    const locks = new Set<WakeLockSentinel>();
    const over = new AbortController();
    const take = async (): Promise<void> => {
      if (document.hidden || !("wakeLock" in navigator)) return;
      try {
        const lock = await navigator.wakeLock.request("screen");
        if (over.signal.aborted) await lock.release();
        else locks.add(lock);
      } catch {
        // Low battery or not allowed: the call goes on, the screen may dim.
      }
    };
    document.addEventListener("visibilitychange", () => void take(), { signal: over.signal });
    void take();
    return () => {
      over.abort();
      for (const lock of locks) lock.release().catch(() => undefined);
    };
  }, []);
}

/** Asks before a tab that is sending is closed by mistake. */
export function useLeaveGuard(sending: () => boolean): void {
  useEffect(() => {
    const guard = (event: BeforeUnloadEvent): void => {
      if (sending()) event.preventDefault();
    };
    window.addEventListener("beforeunload", guard);
    return () => window.removeEventListener("beforeunload", guard);
  }, []);
}
