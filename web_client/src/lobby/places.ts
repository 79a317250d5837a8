/** Which page serves which role, and the browser's own place for invitations. */
import type { Place } from "../client/invitation";
import type { Role } from "../client/protocol";
import type { PageName } from "../ui/shell";

/** The page a role's link opens; operators see no pictures, auditors read: neither has one here. */
export const HOME: Record<Role, PageName | null> = {
  surgeon: "theatre", staff: "theatre", specialist: "consult", moderator: "consult", observer: "observe", operator: null,
  auditor: null,
};

/** Where an invitation is entered by hand. */
export const START_URL = "/";

/** The operators' page is no room's, and shows no pictures. */
export const OPERATIONS_URL = "/operations";

/** Who may use a page besides those whose home it is. */
const GUESTS: Record<PageName, readonly Role[]> = {
  theatre: [], consult: ["surgeon", "staff"], observe: ["surgeon", "staff", "specialist", "moderator"],
  review: ["surgeon", "staff", "specialist", "moderator", "auditor"],
};

export function mayUse(page: PageName, role: Role): boolean {
  return HOME[role] === page || GUESTS[page].includes(role);
}

export function pageUrl(page: PageName, room: string, invitation: string): string {
  return `/${page}/${encodeURIComponent(room)}#${invitation}`;
}

/** Storage can be blocked; the invitation then lives as long as the page. */
function tabStorage(): Place["storage"] {
  try {
    return window.sessionStorage;
  } catch {
    const kept = new Map<string, string>();
    return {
      getItem: (key) => kept.get(key) ?? null,
      setItem: (key, value) => void kept.set(key, value),
      removeItem: (key) => void kept.delete(key),
    };
  }
}

export const place: Place = { location: window.location, history: window.history, storage: tabStorage() };
