/** Bookmarks and chapters in one list in order of time; a new bookmark is named where it is made. */
import { signal } from "@preact/signals";
import type { Signal } from "@preact/signals";
import { words } from "../i18n";
import { Icon } from "../ui/icons";
import { Button } from "../ui/parts";
import type { ReviewApi } from "./api";
import { chaptersOf, clockText } from "./model";
import type { Bookmark, Chapter, Detail } from "./model";
import type { Player } from "./player";
import { failed } from "./faults";

/** The moment that is being named, or none. */
const naming = signal<number | null>(null);
const label = signal("");

export function startNaming(player: Player): void {
  if (!player.detail.rights.includes("mark")) return;
  naming.value = player.position.value;
  label.value = "";
}

interface Props {
  player: Player;
  detail: Signal<Detail>;
  api: ReviewApi;
}

export function Bookmarks({ player, detail, api }: Props) {
  const t = words.value.review;
  const now = detail.value;
  const mayMark = now.rights.includes("mark");
  return (
    <section class="card bookmarks" aria-label={t.bookmarks}>
      <h2>{t.bookmarks}</h2>
      {mayMark && naming.value === null && (
        <Button icon="flag" tone="main" word={t.addBookmark} onPress={() => startNaming(player)} />
      )}
      {naming.value !== null && <NamingForm detail={detail} api={api} seconds={naming.value} />}
      <ol>
        {chaptersOf(now).map((chapter) => {
          const bookmark = bookmarkOf(now, chapter);
          return (
            <li key={`${chapter.seconds}${chapter.kind}${bookmark?.id ?? chapter.label}`}>
              <button type="button" class="chapter" onClick={() => player.seek(chapter.seconds)}>
                <Icon name={bookmark === undefined ? "late" : "flag"} />
                <span class="chapter-time">{clockText(chapter.seconds)}</span>
                <span>{chapterWords(chapter)}{bookmark?.live && <small> ({t.live})</small>}</span>
              </button>
              {bookmark !== undefined && mayMark && (
                <Button icon="close" compact word={t.removeBookmark(chapterWords(chapter))} onPress={() => void remove(detail, api, bookmark)} />
              )}
            </li>
          );
        })}
      </ol>
    </section>
  );
}

function bookmarkOf(detail: Detail, chapter: Chapter): Bookmark | undefined {
  if (chapter.kind !== "bookmark") return undefined;
  return detail.bookmarks.find((one) => one.seconds === chapter.seconds && one.label === chapter.label);
}

function chapterWords(chapter: Chapter): string {
  const t = words.value;
  const kind = t.review.chapterKinds[chapter.kind] ?? chapter.kind;
  if (chapter.kind === "bookmark") return chapter.label === "" ? kind : chapter.label;
  const role = (t.roles as Record<string, string | undefined>)[chapter.label];
  return role === undefined ? kind : `${kind}: ${role}`;
}

function NamingForm({ detail, api, seconds }: { detail: Signal<Detail>; api: ReviewApi; seconds: number }) {
  const t = words.value.review;
  const save = async (): Promise<void> => {
    try {
      const made = await api.mark(detail.value.entry.id, seconds, label.value.trim().normalize("NFC"));
      detail.value = { ...detail.value, bookmarks: [...detail.value.bookmarks, made].sort((a, b) => a.seconds - b.seconds) };
      naming.value = null;
    } catch (error) {
      failed(error);
    }
  };
  return (
    <form
      class="naming"
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <div class="field">
        <label for="bookmark-label">{t.bookmarkLabel} ({clockText(seconds)})</label>
        <input
          id="bookmark-label" value={label.value} maxLength={200} autocomplete="off" ref={(element) => element?.focus()}
          onInput={(event) => (label.value = event.currentTarget.value)}
        />
      </div>
      <div class="actions">
        <button type="submit" class="button main">{t.save}</button>
        <Button icon="close" word={t.cancel} onPress={() => (naming.value = null)} />
      </div>
    </form>
  );
}

async function remove(detail: Signal<Detail>, api: ReviewApi, bookmark: Bookmark): Promise<void> {
  try {
    await api.unmark(detail.value.entry.id, bookmark.id);
    detail.value = { ...detail.value, bookmarks: detail.value.bookmarks.filter((one) => one.id !== bookmark.id) };
  } catch (error) {
    failed(error);
  }
}
