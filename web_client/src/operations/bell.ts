/** When the bell rings. */
import type { Alert } from "./model.generated";

/** What was heard of an alert: one that worsens is to be heard again. */
export const heardAs = (alert: Alert): string => `${alert.id} ${alert.severity}`;

/** Which open alerts were not heard yet; one that repeats was. */
export function unheard(heard: ReadonlySet<string>, alerts: readonly Alert[]): Alert[] {
  return alerts.filter((alert) => alert.cleared_ms === null && !heard.has(heardAs(alert)));
}
