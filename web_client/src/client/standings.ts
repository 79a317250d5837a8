/** News of who sees less than they should: what is said once, when it changes. */
import type { Standing, Step } from "./protocol";

/** `again`: pictures move again. */
export type StandingNews = Exclude<Step, "full" | "reduced"> | "again";

type Standings = ReadonlyMap<string, Standing>;

/** By participant. A smaller or poorer picture is left to the list of people: it comes and goes too often for news. */
export function standingNews(before: Standings, now: Standings): [participant: string, news: StandingNews][] {
  const news: [string, StandingNews][] = [];
  for (const id of new Set([...before.keys(), ...now.keys()])) {
    const [old, step] = [without(before.get(id)?.step), without(now.get(id)?.step)];
    if (step !== old) news.push([id, step ?? "again"]);
  }
  return news;
}

/** The step, if it is one without moving pictures. */
function without(step: Step | undefined): Exclude<StandingNews, "again"> | undefined {
  return step === "full" || step === "reduced" ? undefined : step;
}
