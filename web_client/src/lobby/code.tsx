/** The field for an invitation that did not come as a link. */
import { signal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { invitationOfText } from "../client/invitation";
import { words } from "../i18n";

const empty = signal(false);

export function CodeForm({ onCode }: { onCode: (invitation: string) => void }) {
  const t = words.value.lobby;
  const field = useRef<HTMLInputElement>(null);
  const submit = (event: Event): void => {
    event.preventDefault();
    const invitation = invitationOfText(field.current?.value ?? "");
    empty.value = invitation === "";
    if (invitation !== "") onCode(invitation);
  };
  return (
    <form class="card code-form" onSubmit={submit}>
      <h2>{t.codeTitle}</h2>
      <label for="invitation">{t.codeHelp}</label>
      <input id="invitation" ref={field} autocomplete="off" autocapitalize="off" spellcheck={false} aria-label={t.codeLabel} />
      {empty.value && <p class="fault" role="alert">{t.codeEmpty}</p>}
      <button type="submit" class="button main big">{t.codeGo}</button>
    </form>
  );
}
