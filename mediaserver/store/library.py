"""The library: recordings found by what is written about them. Names are sealed, so they are opened and
compared in memory; nothing that could be searched lies on the disk.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, Row, select

from mediaserver.audit import Actor
from mediaserver.errors import LoupeError
from mediaserver.ids import ProcedureId, RecordingId, RoomId
from mediaserver.store.bookmarks import Bookmark as KeptBookmark
from mediaserver.store.bookmarks import Bookmarks, Place, UnknownBookmark
from mediaserver.store.consents import Purpose, declined
from mediaserver.store.database import Database
from mediaserver.store.procedures import Procedure, Procedures, UnknownProcedure
from mediaserver.store.rooms import RoomNames
from mediaserver.store.schema import now, recordings
from mediaserver.vault import NotAuthentic

MAX_FOUND: Final = 200
LOCAL: Final = ZoneInfo("Asia/Ho_Chi_Minh")
"""Days are the theatre's (05-clinical 5.1)."""
END_SECONDS: Final = 1.0
"""So far behind the last picture a moment still belongs to the recording."""
MAX_BOOKMARK_DIGITS: Final = 16
_UNDECOMPOSED: Final = str.maketrans({"đ": "d", "Đ": "d"})
"""Unicode gives đ no decomposition (05-clinical 5.1)."""


class NothingToMark(LoupeError):
    """A moment is marked in a procedure; none is open in this room."""

    code = "nothing_to_mark"
    default = "no procedure is open in this room, so there is nothing to mark a moment of"


def folded(text: str) -> str:
    """Without case and without diacritics: ``Đặng`` and ``dang`` are alike, however either was typed."""
    decomposed = unicodedata.normalize("NFD", text.translate(_UNDECOMPOSED).casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def matches(query: str, *texts: str) -> bool:
    """Every word of the query is somewhere in the texts."""
    content = "\n".join(map(folded, texts))
    return all(word in content for word in folded(query).split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One recording in the library."""

    id: str
    room: str
    procedure: ProcedureId
    state: str
    started_at: datetime
    ended_at: datetime | None
    title: str = ""
    reference: str = ""
    """Pseudonymous."""
    staff: Sequence[str] = ()

    @property
    def seconds(self) -> float | None:
        """None while it is being recorded."""
        return None if self.ended_at is None else (self.ended_at - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is looked for; empty fields do not narrow. Days are days of the theatre's own time zone."""

    room: str | None = None
    """The only one that the asker may see; None: all."""
    procedures: Collection[str] | None = None
    """The only ones that the asker may see; None: all."""
    linked: bool = False
    """None of a patient who declined a link to specialists."""
    text: str = ""
    first_day: date | None = None
    last_day: date | None = None
    staff: str = ""
    room_text: str = ""
    """Part of a room's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookmark:
    """A marked moment of a recording."""

    id: str
    seconds: float
    """On the recording's axis."""
    label: str
    live: bool
    """Marked while it happened."""


@dataclass(frozen=True, slots=True)
class Library:
    """Over the store's tables, which ``mediaserver/recording/indexing.py`` fills from the folders."""

    database: Database
    procedures: Procedures
    bookmarks_of: Bookmarks

    async def search(self, query: Query) -> list[Entry]:
        """At most ``MAX_FOUND``, newest first; what was deleted is not found."""
        wanted = (
            select(recordings)
            .where(recordings.c.deleted_at.is_(None), *self._narrowed(query))
            .order_by(recordings.c.started_at.desc(), recordings.c.id)
        )

        def work(connection: Connection) -> list[Entry]:
            found: list[Entry] = []
            known: dict[str, Procedure | None] = {}
            for row in connection.execute(wanted):
                if row.procedure not in known:
                    known[row.procedure] = self._case(connection, row)
                entry = self._entry(row, known[row.procedure])
                texts = (entry.title, entry.reference, entry.room, *entry.staff)
                if (
                    matches(query.text, *texts)
                    and matches(query.staff, *entry.staff)
                    and matches(query.room_text, entry.room)
                ):
                    found.append(entry)
                    if len(found) == MAX_FOUND:
                        break
            return found

        return await self.database.read(work)

    async def entry(self, id: str) -> Entry | None:
        """One recording; None if there is none, or it was deleted."""

        def work(connection: Connection) -> Entry | None:
            here = (recordings.c.id == id, recordings.c.deleted_at.is_(None))
            row = connection.execute(select(recordings).where(*here)).first()
            if row is None:
                return None
            return self._entry(row, self._case(connection, row))

        return await self.database.read(work)

    async def bookmarks(self, entry: Entry) -> list[Bookmark]:
        """Those that lie within the recording, in order of time."""
        marks = await self.bookmarks_of.of(entry.procedure)
        return sorted(
            (_shown(one, entry) for one in marks if _within(one, entry)), key=lambda mark: mark.seconds
        )

    async def mark(self, entry: Entry, seconds: float, label: str, by: str) -> Bookmark:
        """Adds one after the fact. Raises ``LimitReached``."""
        at = entry.started_at + timedelta(seconds=seconds)
        place = Place(RecordingId(entry.id), seconds)
        made = await self.bookmarks_of.mark(entry.procedure, at, label, Actor(id=by), live=False, place=place)
        return _shown(made, entry)

    async def unmark(self, entry: Entry, bookmark: str, by: str) -> None:
        """Raises ``UnknownBookmark``."""
        if not (bookmark.isascii() and bookmark.isdigit() and len(bookmark) <= MAX_BOOKMARK_DIGITS):
            raise UnknownBookmark
        await self.bookmarks_of.remove(entry.procedure, int(bookmark), Actor(id=by))

    async def mark_live(self, room: str, label: str, by: str, place: Place | None = None) -> datetime:
        """Marks this moment in whatever procedure the room serves, at its place in what is being recorded.

        Raises ``NothingToMark``, ``LimitReached``.
        """
        procedure = await self.procedures.current(RoomId(room))
        if procedure is None:
            raise NothingToMark
        moment = now()
        await self.bookmarks_of.mark(procedure.id, moment, label, Actor(id=by), live=True, place=place)
        return moment

    def _narrowed(self, query: Query) -> list[ColumnElement[bool]]:
        """What the database itself can look for."""
        found: list[ColumnElement[bool]] = []
        if query.room is not None:
            found.append(recordings.c.room.in_(self._names.held(query.room)))
        if query.procedures is not None:
            found.append(recordings.c.procedure.in_(query.procedures))
        if query.linked:
            found.append(recordings.c.procedure.not_in(declined(Purpose.TREATMENT_LINK)))
        if query.first_day is not None:
            found.append(recordings.c.started_at >= _midnight(query.first_day))
        if query.last_day is not None:
            found.append(recordings.c.started_at < _midnight(query.last_day + timedelta(days=1)))
        return found

    @property
    def _names(self) -> RoomNames:
        return self.procedures.audit.rooms

    def _case(self, connection: Connection, row: Row[Any]) -> Procedure | None:
        try:
            return self.procedures.load(connection, ProcedureId(row.procedure))
        except (UnknownProcedure, NotAuthentic):
            return None  # a recording can be studied without what the database says of it

    def _entry(self, row: Row[Any], case: Procedure | None) -> Entry:
        return Entry(
            id=row.id,
            room=self._names.reveal(row.room),
            procedure=ProcedureId(row.procedure),
            state=row.state,
            started_at=row.started_at,
            ended_at=row.ended_at,
            title="" if case is None else case.title.reveal(),
            reference="" if case is None else case.reference.reveal(),
            staff=() if case is None else tuple(one.name.reveal() for one in case.staff),
        )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), LOCAL)


def _within(kept: KeptBookmark, entry: Entry) -> bool:
    if kept.place is not None:
        return kept.place.recording == entry.id
    end = (entry.ended_at or now()) + timedelta(seconds=END_SECONDS)
    return entry.started_at <= kept.at <= end


def _shown(kept: KeptBookmark, entry: Entry) -> Bookmark:
    by_clock = (kept.at - entry.started_at).total_seconds()
    seconds = by_clock if kept.place is None else kept.place.seconds
    return Bookmark(id=str(kept.id), seconds=seconds, label=kept.label.reveal(), live=kept.live)
