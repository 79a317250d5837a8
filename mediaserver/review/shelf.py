"""The library over what is there: recordings' own folders, and the database for procedures and bookmarks.

The folders are the truth: a recording is found whether or not any index knows it. Titles, references and
names are opened in memory to be searched; nothing opened is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, insert, select, update

from mediaserver.audit import Audit, Event
from mediaserver.errors import LimitReached
from mediaserver.ids import ProcedureId, RecordingId
from mediaserver.recording.folder import RecordingFolder, folders
from mediaserver.recording.reader import Recording
from mediaserver.review.errors import NothingToMark, UnknownRecording
from mediaserver.review.folding import holds
from mediaserver.review.library import MAX_BOOKMARKS, MAX_FOUND, Bookmark, Entry, Query
from mediaserver.store import schema
from mediaserver.store.database import Database
from mediaserver.store.procedures import Procedure, Procedures, UnknownProcedure
from mediaserver.vault import NotAuthentic, Vault

LOCAL: Final = ZoneInfo("Asia/Ho_Chi_Minh")
"""Days are the theatre's."""


@dataclass(frozen=True, slots=True)
class _Known:
    stamp: tuple[int, int]
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
    audit: Audit
    procedures: Procedures
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
        rows = await self.database.read(lambda connection: self._bookmarks(connection, known))
        return [self._bookmark(row, known) for row in rows]

    async def mark(self, entry: Entry, seconds: float, label: str, by: str) -> Bookmark:
        """After the fact. Raises ``NothingToMark``, ``LimitReached``."""
        known = self._manifest(entry.id)
        if known is None:
            raise NothingToMark
        at = known.started_at + timedelta(seconds=seconds)
        procedure = known.procedure
        row = await self.database.write(self._adding(procedure, at, label, by, live=False))
        self.audit.append(
            Event.BOOKMARK_CREATE, actor=by, room=entry.room, procedure=procedure, subject=entry.id,
            details={"bookmark": row.id, "seconds": seconds},
        )  # fmt: skip
        return self._bookmark(row, known)

    async def unmark(self, entry: Entry, bookmark: str, by: str) -> None:
        """Kept for the record, shown no more. Raises ``UnknownRecording``."""
        known = self._manifest(entry.id)
        if known is None or not bookmark.isdigit():
            raise UnknownRecording("no such bookmark")
        table = schema.bookmarks

        def remove(connection: Connection) -> int:
            chosen = (table.c.id == int(bookmark)) & (table.c.procedure == known.procedure)
            changed = (
                update(table).where(chosen & table.c.removed_at.is_(None)).values(removed_at=schema.now())
            )
            return connection.execute(changed).rowcount

        if not await self.database.write(remove):
            raise UnknownRecording("no such bookmark")
        self.audit.append(
            Event.BOOKMARK_REMOVE, actor=by, room=entry.room, procedure=known.procedure, subject=entry.id,
            details={"bookmark": bookmark},
        )  # fmt: skip

    async def mark_live(self, room: str, label: str, by: str) -> datetime:
        """This moment, in the procedure that the room serves. Raises ``NothingToMark``."""
        at, table = schema.now(), schema.procedures

        def add(connection: Connection) -> str:
            opened = select(table.c.id).where((table.c.room == room) & table.c.closed_at.is_(None))
            procedure = connection.execute(opened).scalar()
            if procedure is None:
                raise NothingToMark
            self._adding(procedure, at, label, by, live=True)(connection)
            return str(procedure)

        procedure = await self.database.write(add)
        self.audit.append(Event.BOOKMARK_CREATE, actor=by, room=room, procedure=procedure)
        return at

    # ---- Folders ----

    def _manifest(self, id: str) -> _Known | None:
        try:
            folder = RecordingFolder.of(self.root, RecordingId(id))
            status = folder.manifest.stat()
        except (ValueError, OSError):
            return None
        stamp = (status.st_mtime_ns, status.st_size)
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
            text = " ".join((entry.title, entry.reference, *entry.staff))
            if holds(text, query.text) and holds(" ".join(entry.staff), query.staff):
                found.append(entry)
            if len(found) == MAX_FOUND:
                break
        return found

    def _entry(self, connection: Connection, id: str) -> Entry | None:
        known = self._manifest(id)
        return None if known is None else _entry(id, known, self._case(connection, known.procedure))

    # ---- Database ----

    def _case(self, connection: Connection, procedure: ProcedureId) -> Procedure | None:
        try:
            return self.procedures.load(connection, procedure)
        except (UnknownProcedure, NotAuthentic):
            return None  # a recording can be studied without what an index says of it

    def _opened(self, sealed: bytes, context: str) -> str:
        try:
            return self.vault.open_field(sealed, context)
        except NotAuthentic:
            return ""

    def _adding(
        self, procedure: str, at: datetime, label: str, by: str, *, live: bool
    ) -> Callable[[Connection], Any]:
        table = schema.bookmarks
        sealed = self.vault.seal_field(label, f"bookmark/{procedure}")

        def add(connection: Connection) -> Any:
            standing = select(table.c.id).where(
                (table.c.procedure == procedure) & table.c.removed_at.is_(None)
            )
            if len(connection.execute(standing).all()) >= MAX_BOOKMARKS:
                raise LimitReached(f"a procedure has at most {MAX_BOOKMARKS} bookmarks")
            values = {
                "procedure": procedure, "at": at, "sealed_label": sealed, "made_by": by,
                "made_at": schema.now(), "live": live, "removed_at": None,
            }  # fmt: skip
            return connection.execute(insert(table).values(values).returning(table)).one()

        return add

    def _bookmarks(self, connection: Connection, known: _Known) -> list[Any]:
        table = schema.bookmarks
        end = known.started_at + timedelta(seconds=known.seconds + 1)
        within = (table.c.at >= known.started_at) & (table.c.at <= end) & table.c.removed_at.is_(None)
        chosen = select(table).where((table.c.procedure == known.procedure) & within).order_by(table.c.at)
        return list(connection.execute(chosen))

    def _bookmark(self, row: Any, known: _Known) -> Bookmark:
        return Bookmark(
            id=str(row.id),
            seconds=(row.at - known.started_at).total_seconds(),
            label=self._opened(row.sealed_label, f"bookmark/{row.procedure}"),
            live=row.live,
        )


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
