/** What the recording is opened for: one press, and the audit knows. */
import { useEffect, useRef } from "preact/hooks";
import { words } from "../i18n";
import { USES } from "./model";
import type { Use } from "./model";

export function UseQuestion({ what, choose }: { what: string; choose: (use: Use) => void }) {
  const t = words.value.review.use;
  const first = useRef<HTMLButtonElement>(null);
  useEffect(() => first.current?.focus(), []);
  return (
    <section class="card use" aria-labelledby="use-question">
      <h2 id="use-question">{t.question}</h2>
      {what !== "" && <p><strong>{what}</strong></p>}
      <ul>
        {USES.map((use, index) => (
          <li key={use}>
            <button ref={index === 0 ? first : undefined} type="button" class="button main big" data-use={use} onClick={() => choose(use)}>
              {t.uses[use]}
            </button>
            <p class="quiet">{t.help[use]}</p>
          </li>
        ))}
      </ul>
      <p class="quiet">{t.kept}</p>
    </section>
  );
}
