"""The library over what is there: recordings' own folders, and the store for procedures and bookmarks.

The folders are the truth: a recording is found whether or not an index knows it, and is not once its key is
gone. Titles, references and names are opened in memory to be searched; nothing opened is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from mediaserver.audit import Actor
from mediaserver.ids import ProcedureId, RecordingId, RoomId
from mediaserver.recording.folder import RecordingFolder, folders
from mediaserver.recording.reader import Recording
from mediaserver.review.errors import NothingToMark
from mediaserver.store.bookmarks import Bookmark as KeptBookmark
from mediaserver.store.bookmarks import Bookmarks, UnknownBookmark
from mediaserver.store.database import Database
from mediaserver.store.library import MAX_FOUND, Bookmark, Entry, Query, matches
from mediaserver.store.procedures import Procedure, Procedures, UnknownProcedure
from mediaserver.store.recordings import UnknownRecording
from mediaserver.store.schema import now
from mediaserver.vault import NotAuthentic, Vault

LOCAL: Final = ZoneInfo("Asia/Ho_Chi_Minh")
"""Days are the theatre's."""
MAX_BOOKMARK_DIGITS: Final = 16


@dataclass(frozen=True, slots=True)
class _Known:
    stamp: tuple[int, int, int]
    room: str
    procedure: ProcedureId
    state: str
    started_at: datetime
    seconds: float


@dataclass(slots=True)
class Shelf:
    """Implements ``Library``."""

    root: Path
    vault: Vault
    database: Database
    procedures: Procedures
    marks: Bookmarks
    _known: dict[str, _Known] = field(default_factory=dict)
    """Read manifests, by recording, as long as they do not change."""

    async def search(self, query: Query) -> list[Entry]:
        """Newest first."""
        return await self.database.read(lambda connection: self._search(connection, query))

    async def entry(self, id: str) -> Entry | None:
        """None for what is no recording's id, or has no folder."""
        return await self.database.read(lambda connection: self._entry(connection, id))

    async def bookmarks(self, entry: Entry) -> list[Bookmark]:
        """Of the recording's procedure, as far as they lie within it."""
        known = self._manifest(entry.id)
        if known is None:
            return []
        end = known.started_at + timedelta(seconds=known.seconds + 1)
        kept = await self.marks.of(known.procedure)
        return [_shown(one, known) for one in kept if known.started_at <= one.at <= end]

    async def mark(self, entry: Entry, seconds: float, label: str, by: str) -> Bookmark:
        """After the fact. Raises ``NothingToMark``, ``LimitReached``."""
        known = self._required(entry)
        at = known.started_at + timedelta(seconds=seconds)
        try:
            made = await self.marks.mark(known.procedure, at, label, Actor(id=by), live=False)
        except UnknownProcedure:
            raise NothingToMark from None
        return _shown(made, known)

    async def unmark(self, entry: Entry, bookmark: str, by: str) -> None:
        """Raises ``UnknownBookmark``."""
        if not (bookmark.isascii() and bookmark.isdigit() and len(bookmark) <= MAX_BOOKMARK_DIGITS):
            raise UnknownBookmark
        await self.marks.remove(self._required(entry).procedure, int(bookmark), Actor(id=by))

    async def mark_live(self, room: str, label: str, by: str) -> datetime:
        """This moment, in the procedure that the room serves. Raises ``NothingToMark``."""
        procedure = await self.procedures.current(RoomId(room))
        if procedure is None:
            raise NothingToMark
        at = now()
        await self.marks.mark(procedure.id, at, label, Actor(id=by), live=True)
        return at

    # ---- Folders ----

    def _required(self, entry: Entry) -> _Known:
        known = self._manifest(entry.id)
        if known is None:
            raise UnknownRecording
        return known

    def _manifest(self, id: str) -> _Known | None:
        try:
            folder = RecordingFolder.of(self.root, RecordingId(id))
            status, key = folder.manifest.stat(), (folder.path / "key").stat()
        except (ValueError, OSError):
            self._known.pop(id, None)
            return None
        stamp = (status.st_mtime_ns, status.st_size, key.st_mtime_ns)
        known = self._known.get(id)
        if known is None or known.stamp != stamp:
            try:
                one = Recording.open(folder.path, self.vault)
            except (NotAuthentic, OSError, ValueError, KeyError):
                return None  # one that cannot be read must not hide the others
            known = _Known(stamp, one.room, one.procedure, one.state, one.started_at, one.duration_seconds)
            self._known[id] = known
        return known

    def _search(self, connection: Connection, query: Query) -> list[Entry]:
        held = [(folder.id, self._manifest(folder.id)) for folder in folders(self.root)]
        wanted = [(id, known) for id, known in held if known is not None and _fits(known, query)]
        wanted.sort(key=lambda one: one[1].started_at, reverse=True)
        found: list[Entry] = []
        for id, known in wanted:
            entry = _entry(id, known, self._case(connection, known.procedure))
            if matches(query.text, entry.title, entry.reference, *entry.staff) and matches(
                query.staff, *entry.staff
            ):
                found.append(entry)
            if len(found) == MAX_FOUND:
                break
        return found

    def _entry(self, connection: Connection, id: str) -> Entry | None:
        known = self._manifest(id)
        return None if known is None else _entry(id, known, self._case(connection, known.procedure))

    def _case(self, connection: Connection, procedure: ProcedureId) -> Procedure | None:
        try:
            return self.procedures.load(connection, procedure)
        except (UnknownProcedure, NotAuthentic):
            return None  # a recording can be studied without what the database says of it


def _fits(known: _Known, query: Query) -> bool:
    day = known.started_at.astimezone(LOCAL).date()
    return (
        (query.room is None or known.room == query.room)
        and (query.first_day is None or day >= query.first_day)
        and (query.last_day is None or day <= query.last_day)
    )


def _entry(id: str, known: _Known, case: Procedure | None) -> Entry:
    is_over = known.state in ("sealed", "withdrawn")
    return Entry(
        id=id,
        room=known.room,
        state=known.state,
        started_at=known.started_at,
        ended_at=known.started_at + timedelta(seconds=known.seconds) if is_over else None,
        title="" if case is None else case.title.reveal(),
        reference="" if case is None else case.reference.reveal(),
        staff=() if case is None else tuple(one.name.reveal() for one in case.staff),
    )


def _shown(kept: KeptBookmark, known: _Known) -> Bookmark:
    seconds = (kept.at - known.started_at).total_seconds()
    return Bookmark(id=str(kept.id), seconds=seconds, label=kept.label.reveal(), live=kept.live)
