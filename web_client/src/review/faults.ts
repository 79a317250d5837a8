/** What went wrong, in the reader's words. */
import { words } from "../i18n";
import type { Advice } from "../i18n";
import { notice } from "../ui/notices";
import { codeOf } from "./api";

export function adviceOn(code: string): Advice {
  const { faults } = words.value.review;
  if (code === "network" || code === "invitation_invalid") return words.value.ending(code);
  return code in faults ? faults[code as keyof typeof faults] : faults.other;
}

/** A quiet line: what was asked for did not happen, everything else goes on. */
export function failed(error: unknown): void {
  const code = codeOf(error);
  notice(`${adviceOn(code).title} (${code})`);
}
