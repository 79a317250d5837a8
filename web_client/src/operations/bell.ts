/** When the bell rings. */
import type { Alert } from "./model.generated";

/** Which open alerts were not heard yet; one that repeats was. */
export function unheard(heard: ReadonlySet<string>, alerts: readonly Alert[]): Alert[] {
  return alerts.filter((alert) => alert.cleared_ms === null && !heard.has(alert.id));
}
