/** The language of the page: Vietnamese first; English when chosen. */
import { computed, effect, signal } from "@preact/signals";
import { recall, remember } from "../client/remembered";
import { en } from "./en";
import { vi } from "./vi";
import type { Dictionary } from "./vi";

export type { Advice, Dictionary } from "./vi";
export type Language = "vi" | "en";

export const DICTIONARIES: Record<Language, Dictionary> = { vi, en };

export const language = signal<Language>(recall("language") === "en" ? "en" : "vi");
export const words = computed(() => DICTIONARIES[language.value]);

effect(() => {
  document.documentElement.lang = language.value;
});

export function choose(next: Language): void {
  language.value = next;
  remember("language", next);
}
