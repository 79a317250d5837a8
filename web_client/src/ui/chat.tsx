/** Written messages: a panel beside the pictures, opened by hand; new lines only raise a number on its button. */
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Session } from "../client/session";
import { words } from "../i18n";
import { Button } from "./parts";

export const chatOpen = signal(false);
const read = signal(0);
const failed = signal(false);

export function ChatButton({ session }: { session: Session }) {
  const t = words.value.consult;
  const unread = chatOpen.value ? 0 : Math.max(0, session.room.value.chat.length - read.value);
  const word = unread > 0 ? `${t.chat}: ${t.unread(unread)}` : t.chat;
  return <Button icon="chat" word={word} pressed={chatOpen.value} tone={unread > 0 ? "on" : "plain"} onPress={toggleChat} />;
}

export function toggleChat(): void {
  chatOpen.value = !chatOpen.value;
}

export function Chat({ session }: { session: Session }) {
  const t = words.value;
  const list = useRef<HTMLOListElement>(null);
  const field = useRef<HTMLInputElement>(null);
  const lines = session.room.value.chat;
  useEffect(() => {
    read.value = lines.length;
    list.current?.lastElementChild?.scrollIntoView({ block: "nearest" });
  }, [lines.length]);
  const send = async (event: Event): Promise<void> => {
    event.preventDefault();
    const text = field.current?.value.trim() ?? "";
    if (text === "" || field.current === null) return;
    try {
      await session.chat(text.normalize("NFC"));
      field.current.value = "";
      failed.value = false;
    } catch {
      failed.value = true;
    }
  };
  return (
    <aside class="chat card" aria-label={t.consult.chat}>
      <div class="chat-head">
        <h2>{t.consult.chat}</h2>
        <Button compact icon="close" word={t.consult.close} onPress={toggleChat} />
      </div>
      {lines.length === 0 && <p class="quiet">{t.consult.chatEmpty}</p>}
      <ol ref={list} aria-live="polite">
        {lines.map((line) => (
          <li key={line.seq}>
            <p class="chat-who"><strong>{line.name}</strong> <time title={new Date(line.time_ms).toISOString()}>{t.clock(line.time_ms)}</time></p>
            <p class="chat-text">{line.text}</p>
          </li>
        ))}
      </ol>
      {failed.value && <p class="fault" role="alert">{t.consult.chatFailed}</p>}
      {session.may("chat") && (
        <form onSubmit={(event) => void send(event)}>
          <input ref={field} maxLength={2_000} aria-label={t.consult.chatPlaceholder} placeholder={t.consult.chatPlaceholder} />
          <button type="submit" class="button main">{t.consult.send}</button>
        </form>
      )}
    </aside>
  );
}
