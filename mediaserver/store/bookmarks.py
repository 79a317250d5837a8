"""Bookmarks: moments of a procedure that somebody marked, while it happened or later. Labels are sealed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, func, insert, select, update

from mediaserver.audit import Actor, Event
from mediaserver.errors import LimitReached, LoupeError
from mediaserver.ids import ProcedureId, RecordingId, Redacted
from mediaserver.store.audit import AuditTrail
from mediaserver.store.database import Database
from mediaserver.store.procedures import UnknownProcedure
from mediaserver.store.schema import bookmarks, now, procedures
from mediaserver.vault import Vault

MAX_LABEL_CHARACTERS: Final = 200
MAX_BOOKMARKS: Final = 1000
"""Of one procedure."""


class UnknownBookmark(LoupeError):
    """No bookmark of this id in this procedure."""

    code = "unknown_bookmark"
    default = "no such bookmark"


@dataclass(frozen=True, slots=True)
class Place:
    """A moment on a recording's axis, which no clock that is set moves."""

    recording: RecordingId
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookmark:
    """A marked moment."""

    id: int
    procedure: ProcedureId
    at: datetime
    """By the wall clock of its day."""
    place: Place | None
    """None: nothing was being recorded, or it is from before places were kept."""
    label: Redacted[str]
    made_by: str
    live: bool
    """Marked while it happened."""


@dataclass(frozen=True, slots=True)
class Bookmarks:
    """Marks and finds them."""

    database: Database
    vault: Vault
    audit: AuditTrail

    async def mark(
        self,
        procedure: ProcedureId,
        at: datetime,
        label: str,
        actor: Actor,
        *,
        live: bool,
        place: Place | None = None,
    ) -> Bookmark:
        """Raises ``UnknownProcedure``, ``LimitReached``."""

        def work(connection: Connection) -> Bookmark:
            found = connection.execute(select(procedures.c.room).where(procedures.c.id == procedure)).first()
            if found is None:
                raise UnknownProcedure
            count = select(func.count()).where(bookmarks.c.procedure == procedure)
            if connection.execute(count).scalar_one() >= MAX_BOOKMARKS:
                raise LimitReached(f"at most {MAX_BOOKMARKS} bookmarks in a procedure")
            inserted = connection.execute(
                insert(bookmarks).values(
                    procedure=procedure,
                    at=at,
                    sealed_label=self.vault.seal_field(label, f"procedure/{procedure}/bookmark"),
                    made_by=actor.id,
                    made_at=now(),
                    live=live,
                    recording=None if place is None else place.recording,
                    axis_seconds=None if place is None else place.seconds,
                )
            )
            assert inserted.inserted_primary_key is not None  # of the row just inserted
            id = inserted.inserted_primary_key.id
            self.audit.within(
                connection, Event.BOOKMARK_CREATE, actor=actor, room=found.room, procedure=procedure,
                subject=str(id), details={"live": live},
            )  # fmt: skip
            return self._bookmark(connection.execute(select(bookmarks).where(bookmarks.c.id == id)).one())

        return await self.database.write(work)

    async def of(self, procedure: ProcedureId) -> list[Bookmark]:
        """In order of time."""
        query = (
            select(bookmarks)
            .where(bookmarks.c.procedure == procedure, bookmarks.c.removed_at.is_(None))
            .order_by(bookmarks.c.at, bookmarks.c.id)
        )
        return await self.database.read(
            lambda connection: [self._bookmark(row) for row in connection.execute(query)]
        )

    async def remove(self, procedure: ProcedureId, id: int, actor: Actor) -> None:
        """Raises ``UnknownBookmark``."""

        def work(connection: Connection) -> None:
            here = (
                bookmarks.c.id == id,
                bookmarks.c.procedure == procedure,
                bookmarks.c.removed_at.is_(None),
            )
            if connection.execute(update(bookmarks).where(*here).values(removed_at=now())).rowcount == 0:
                raise UnknownBookmark
            room = connection.execute(
                select(procedures.c.room).where(procedures.c.id == procedure)
            ).scalar_one()
            self.audit.within(
                connection,
                Event.BOOKMARK_REMOVE,
                actor=actor,
                room=room,
                procedure=procedure,
                subject=str(id),
            )

        await self.database.write(work)

    def _bookmark(self, row: Row[Any]) -> Bookmark:
        label = self.vault.open_field(row.sealed_label, f"procedure/{row.procedure}/bookmark")
        return Bookmark(
            id=row.id,
            procedure=ProcedureId(row.procedure),
            at=row.at,
            place=None if row.recording is None else Place(RecordingId(row.recording), row.axis_seconds),
            label=Redacted(label),
            made_by=row.made_by,
            live=row.live,
        )
