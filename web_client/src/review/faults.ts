/** What went wrong, in the reader's words. */
import { words } from "../i18n";
import type { Advice } from "../i18n";
import { notice } from "../ui/notices";
import { codeOf } from "./api";

/** What is said of them wherever somebody is not let in. */
const AT_THE_DOOR: ReadonlySet<string> = new Set(["network", "invitation_invalid", "outside_viewers_not_consented"]);

export function adviceOn(code: string): Advice {
  const { faults } = words.value.review;
  if (AT_THE_DOOR.has(code)) return words.value.ending(code);
  return code in faults ? faults[code as keyof typeof faults] : faults.other;
}

/** A quiet line: what was asked for did not happen, everything else goes on. */
export function failed(error: unknown): void {
  const code = codeOf(error);
  notice(`${adviceOn(code).title} (${code})`);
}
