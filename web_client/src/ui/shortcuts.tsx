/** Keys (and foot pedals, which are keys): one table per page, shown as a sheet on `?`. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { words } from "../i18n";
import { Button } from "./parts";

export interface Shortcut {
  /** As in `KeyboardEvent.key`, lower case; `1-9` stands for the digits. */
  key: string;
  says: string;
  press: (digit: number) => void;
  release?: () => void;
}

export const sheetOpen = signal(false);

const EDITING = "input, textarea, select, [contenteditable]";

export function useShortcuts(shortcuts: () => readonly Shortcut[]): void {
  useEffect(() => {
    const held = new Map<string, Shortcut>();
    const releaseAll = (): void => {
      for (const shortcut of held.values()) shortcut.release?.();
      held.clear();
    };
    const down = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
      const target = event.target instanceof Element ? event.target : null;
      if (target?.closest(EDITING)) return;
      // On a focused button the space bar presses that button, as everywhere.
      if (event.key === " " && target?.closest("button, a, summary")) return;
      const digit = /^[1-9]$/.test(event.key) ? Number(event.key) : 0;
      if (event.key === "?") sheetOpen.value = !sheetOpen.value;
      else if (event.key === "Escape" && sheetOpen.value) sheetOpen.value = false;
      else {
        const shortcut = shortcuts().find((s) => s.key === (digit > 0 ? "1-9" : event.key.toLowerCase()));
        if (shortcut === undefined) return;
        if (shortcut.release) held.set(event.key, shortcut);
        shortcut.press(digit);
      }
      event.preventDefault();
    };
    const up = (event: KeyboardEvent): void => {
      held.get(event.key)?.release?.();
      held.delete(event.key);
    };
    window.addEventListener("keydown", down);
    window.addEventListener("keyup", up);
    window.addEventListener("blur", releaseAll);
    return () => {
      window.removeEventListener("keydown", down);
      window.removeEventListener("keyup", up);
      window.removeEventListener("blur", releaseAll);
    };
  }, []);
}

export function ShortcutSheet({ shortcuts }: { shortcuts: readonly Shortcut[] }) {
  const t = words.value.keys;
  if (!sheetOpen.value) return null;
  const shown = (key: string): string => (key === " " ? t.space : key === "escape" ? "Esc" : key.toUpperCase());
  return (
    <aside class="sheet card" aria-label={t.title}>
      <h2>{t.title}</h2>
      <dl>
        {shortcuts.map(({ key, says }) => (
          <div key={key}>
            <dt><kbd>{shown(key)}</kbd></dt>
            <dd>{says}</dd>
          </div>
        ))}
        <div><dt><kbd>?</kbd></dt><dd>{t.help}</dd></div>
      </dl>
      <Button icon="close" word={t.close} onPress={() => (sheetOpen.value = false)} />
    </aside>
  );
}
