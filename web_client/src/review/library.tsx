/** The library: what was recorded in this room, found with and without diacritics. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { words } from "../i18n";
import { ErrorCard } from "../ui/parts";
import type { Found, ReviewApi, Search } from "./api";
import { codeOf } from "./api";
import { adviceOn } from "./faults";
import { clockText } from "./model";
import type { Entry } from "./model";

const search = signal<Search>({ text: "", staff: "", room: "", from: "", to: "" });
const found = signal<Found | null>(null);
const fault = signal<string | null>(null);

async function find(api: ReviewApi): Promise<void> {
  const asked = { ...search.value, text: search.value.text.normalize("NFC"), staff: search.value.staff.normalize("NFC"), room: search.value.room.normalize("NFC") };
  try {
    found.value = await api.find(asked);
    fault.value = null;
  } catch (error) {
    fault.value = codeOf(error);
  }
}

function Field({ id, name, word, day }: { id: string; name: keyof Search; word: string; day?: boolean }) {
  const typed = (event: { currentTarget: HTMLInputElement }): void => {
    search.value = { ...search.value, [name]: event.currentTarget.value };
  };
  return (
    <div class="field">
      <label for={id}>{word}</label>
      {day
        ? <input id={id} type="date" value={search.value[name]} onInput={typed} />
        : <input id={id} type="text" value={search.value[name]} maxLength={200} autocomplete="off" onInput={typed} />}
    </div>
  );
}

export function Library({ api, open }: { api: ReviewApi; open: (entry: Entry) => void }) {
  const t = words.value.review;
  useEffect(() => void find(api), [api]);
  const list = found.value;
  return (
    <section class="library" aria-label={t.library}>
      <form
        class="card search" role="search"
        onSubmit={(event) => {
          event.preventDefault();
          void find(api);
        }}
      >
        <Field id="search-text" name="text" word={`${t.search} (${t.searchHelp})`} />
        <Field id="search-staff" name="staff" word={t.staff} />
        {api.ofAllRooms && <Field id="search-room" name="room" word={t.room} />}
        <Field id="search-from" name="from" day word={t.from} />
        <Field id="search-to" name="to" day word={t.to} />
        <button type="submit" class="button main">{t.go}</button>
      </form>
      {fault.value !== null && <ErrorCard advice={adviceOn(fault.value)} code={`REVIEW-${fault.value}`} />}
      {list !== null && (
        <>
          <p role="status">{t.found(list.recordings.length)} {list.more && t.more}</p>
          {list.recordings.length === 0 && <div class="empty"><strong>{t.none}</strong><p>{t.noneHelp}</p></div>}
          <ul class="entries">{list.recordings.map((entry) => <Line key={entry.id} entry={entry} room={api.ofAllRooms} open={open} />)}</ul>
        </>
      )}
    </section>
  );
}

function Line({ entry, room, open }: { entry: Entry; room: boolean; open: (entry: Entry) => void }) {
  const t = words.value.review;
  const title = entry.title === "" ? t.untitled : entry.title;
  return (
    <li class="card entry" data-recording={entry.id}>
      <h2>{title}</h2>
      <p>
        {room && <strong>{words.value.roomName(entry.room)} · </strong>}
        <time dateTime={new Date(entry.started_ms).toISOString()} title={new Date(entry.started_ms).toISOString()}>{t.date(entry.started_ms)}</time>
        {entry.seconds !== null && ` · ${clockText(entry.seconds)}`} · {t.states[entry.state] ?? entry.state}
      </p>
      {(entry.reference !== "" || entry.staff.length > 0) && (
        <p class="quiet">{[entry.reference, ...entry.staff].filter((text) => text !== "").join(" · ")}</p>
      )}
      <button type="button" class="button main" onClick={() => open(entry)}>
        {t.open}<span class="visually-hidden">: {title}, {t.date(entry.started_ms)}</span>
      </button>
    </li>
  );
}
