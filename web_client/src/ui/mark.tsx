/** "Mark this moment": one key or button while it happens; a quiet line says that it is kept. */
import { RequestRefused } from "../client/errors";
import type { Session } from "../client/session";
import { words } from "../i18n";
import { notice } from "./notices";
import { Button } from "./parts";
import type { Shortcut } from "./shortcuts";

async function mark(session: Session): Promise<void> {
  const t = words.value.review;
  try {
    await session.mark();
    notice(t.marked);
  } catch (error) {
    notice(error instanceof RequestRefused && error.code === "nothing_to_mark" ? t.nothingToMark : t.markFailed);
  }
}

export function MarkButton({ session }: { session: Session }) {
  if (!session.may("mark")) return null;
  return <Button icon="flag" word={words.value.review.markNow} hint={`${words.value.review.markKey} (B)`} onPress={() => void mark(session)} />;
}

export function markShortcut(session: Session): Shortcut {
  return { key: "b", says: words.value.review.markKey, press: () => void mark(session) };
}
