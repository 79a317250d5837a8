/** What was measured and what happened, in words: nothing of the server's own codes reaches the screen. Pure. */
import { language, words } from "../i18n";
import type { CauseText, Evidence, TimelineEvent } from "./model.generated";

export type Causes = ReadonlyMap<string, CauseText>;

/** A value as people say it: seconds as milliseconds up to hours. */
export function sized(value: number, unit: Evidence["unit"]): string {
  const { units } = words.value.operations;
  if (unit === "ratio") return units.ratio(value);
  if (unit === "bits_per_second") return units.bits(value);
  if (unit === "bytes") return units.bytes(value);
  const length = Math.abs(value);
  if (length < 1) return units.seconds(value);
  if (length < 120) return units.wholeSeconds(value);
  return length < 7_200 ? units.minutes(value / 60) : units.hours(value / 3_600);
}

export function evidenceOf(evidence: readonly Evidence[]): string {
  const t = words.value.operations;
  return evidence
    .map(({ measure, value, limit, unit }) =>
      unit === "" ? t.measures[measure] : t.evidence(t.measures[measure], sized(value, unit), sized(limit, unit)))
    .join("; ");
}

/** What an event says beyond its kind; a word of another version of the server as it is. */
export function detailOf({ kind, detail, evidence }: TimelineEvent, causes: Causes): string {
  const { value: all } = words;
  const t = all.operations;
  const said = detail ?? "";
  const [first = "", second = ""] = said.split(" ");
  switch (kind) {
    case "joined":
    case "left":
      return named(all.roles, said);
    case "published":
      return named(all.sourceTypes, said);
    case "layers_changed":
      return said === "" ? t.noPicture : t.levels(said.split(" ").join(", "));
    case "layer_forwarded":
      return forwarded(first, second);
    case "transport":
      return `${named(t.directions, first)}: ${named(t.phases, second)}`;
    case "finding_raised":
    case "finding_cleared": {
      const title = causes.get(first)?.title[language.value] ?? first;
      const measured = evidenceOf(evidence ?? []);
      return `${title} (${named(t.severities, second)})${measured === "" ? "" : `: ${measured}`}`;
    }
    default:
      return said;
  }
}

/** A layer and why; a server of before said neither reason nor `none`. */
function forwarded(layer: string, reason: string): string {
  const t = words.value.operations;
  const said = layer === "" || layer === "none" ? t.noPicture : t.levels(layer);
  return reason === "" ? said : `${said} (${named(t.viewReasons, reason)})`;
}

function named(known: Readonly<Record<string, string>>, code: string): string {
  return known[code] ?? code;
}
