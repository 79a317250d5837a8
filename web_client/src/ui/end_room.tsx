/** "End for everyone", for those who moderate: asked once more, because it takes the picture from all of them. */
import { useRef, useState } from "preact/hooks";
import type { Session } from "../client/session";
import { words } from "../i18n";
import { Button } from "./parts";

export function EndRoomButton({ session }: { session: Session }) {
  const t = words.value.endRoom;
  const dialog = useRef<HTMLDialogElement>(null);
  const [failed, setFailed] = useState(false);
  if (!session.may("moderate")) return null;
  const end = async (): Promise<void> => {
    setFailed(false);
    try {
      await session.closeRoom();
    } catch {
      setFailed(true);
    }
  };
  return (
    <>
      <Button icon="stop" word={t.button} onPress={() => dialog.current?.showModal()} />
      <dialog ref={dialog} class="card confirm" aria-labelledby="end-room-title" onClose={() => setFailed(false)}>
        <h2 id="end-room-title">{t.title}</h2>
        <p>{t.what(session.room.value.participants.size)}</p>
        {failed && <p class="fault" role="alert">{t.failed}</p>}
        <div class="actions">
          <button type="button" class="button" autofocus onClick={() => dialog.current?.close()}>{t.no}</button>
          <button type="button" class="button danger" onClick={() => void end()}>{t.button}</button>
        </div>
      </dialog>
    </>
  );
}
