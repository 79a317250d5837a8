import { describe, expect, it } from "vitest";
import { en } from "../src/i18n/en";
import { vi } from "../src/i18n/vi";

/** Every key path, with what stands there: text, a function's arity, or the number of a list's items is free. */
function paths(value: unknown, at = ""): string[] {
  if (Array.isArray(value)) return [`${at}: list`];
  if (typeof value === "function") return [`${at}: function of ${value.length}`];
  if (typeof value === "object" && value !== null) {
    return Object.entries(value).flatMap(([key, inner]) => paths(inner, `${at}.${key}`));
  }
  return [`${at}: ${typeof value}`];
}

function texts(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (typeof value === "object" && value !== null) return Object.values(value).flatMap(texts);
  return [];
}

const ENDINGS = [
  "left", "removed", "room_closed", "server_draining", "worker_failed", "replaced", "closed_4409", "closed_4412",
  "invitation_invalid", "unauthorized", "not_permitted", "no_page", "unknown_room", "room_full", "draining", "network",
  "outside_viewers_not_consented", "teaching_not_consented", "treatment_link_declined",
];

describe("dictionaries", () => {
  it("have the same keys with the same shapes", () => {
    expect(paths(en).sort()).toEqual(paths(vi).sort());
  });

  it("leave no text empty, and none is mojibake or decomposed", () => {
    for (const text of [...texts(vi), ...texts(en)]) {
      expect(text.trim()).not.toBe("");
      expect(text.normalize("NFC")).toBe(text);
      expect(text).not.toContain("\uFFFD");
    }
  });

  it.each(ENDINGS)("say what to do about %s in both languages", (code) => {
    const unknown = [vi.ending("no such code").title, en.ending("no such code").title];
    for (const dictionary of [vi, en]) {
      expect(dictionary.ending(code).steps.length).toBeGreaterThan(0);
      expect(unknown).not.toContain(dictionary.ending(code).title);
    }
  });

  it("write decimals as each language does", () => {
    expect(vi.tile.late(0.7)).toContain("0,7");
    expect(en.tile.late(0.7)).toContain("0.7");
  });
});
