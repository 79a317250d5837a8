/** What a browser keeps between visits: device ids per role and the language. No name, no token, nothing of a person. */

const PREFIX = "loupe.";

function store(): Storage | null {
  try {
    return window.localStorage;
  } catch {
    return null; // Blocked by the browser's settings: nothing is remembered, nothing breaks.
  }
}

export function recall(key: string): string | null {
  return store()?.getItem(PREFIX + key) ?? null;
}

export function remember(key: string, value: string): void {
  try {
    store()?.setItem(PREFIX + key, value);
  } catch {
    // Full: the same as blocked.
  }
}

export const deviceKey = (page: string, slot: string): string => `device.${page}.${slot}`;
