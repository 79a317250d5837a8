"""The index of recordings: which procedure they belong to, where their segments lie, how long they are kept.

The folders are the truth; this index can be made anew from them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

from sqlalchemy import Connection, Row, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from mediaserver.audit import Actor, Event
from mediaserver.config import Retention, RetentionClass
from mediaserver.errors import LoupeError
from mediaserver.ids import ProcedureId, RecordingId, Redacted, RoomId, TrackId
from mediaserver.store import rooms
from mediaserver.store.audit import AuditTrail
from mediaserver.store.database import Database
from mediaserver.store.expected import finalised
from mediaserver.store.procedures import UnknownProcedure, insert_empty
from mediaserver.store.rooms import RoomNames
from mediaserver.store.schema import holds, now, procedures, recordings, segments
from mediaserver.vault import Vault

State: TypeAlias = Literal["recording", "sealing", "sealed", "withdrawn"]
Location: TypeAlias = Literal["local", "second", "object"]
MAX_DUE: Final = 500


class UnknownRecording(LoupeError):
    """No recording of this id."""

    code = "unknown_recording"
    default = "no such recording"


class QuotaReached(LoupeError):
    """Recordings hold as many bytes as they may."""

    code = "quota_reached"
    default = "recordings hold as much as they may; delete what is due, or raise retention.quota_bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingRow:
    """One recording as the index knows it."""

    id: RecordingId
    procedure: ProcedureId
    room: RoomId
    state: State
    started_at: datetime
    ended_at: datetime | None
    retention_class: RetentionClass
    retain_until: datetime
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRow:
    """One sealed segment; ``sha256`` is of the encrypted file."""

    track: TrackId
    number: int
    start_seconds: float
    duration_seconds: float
    media_type: str
    plain_bytes: int
    encrypted_bytes: int
    sha256: bytes
    location: Location = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Nothing of the recording may be deleted while it stands."""

    id: int
    reason: Redacted[str]
    placed_at: datetime
    placed_by: str
    lifted_at: datetime | None


@dataclass(frozen=True, slots=True)
class Recordings:
    """Keeps the index. Writing a row twice changes nothing: a start may fill it again from the folders."""

    database: Database
    vault: Vault
    audit: AuditTrail
    retention: Retention

    async def check_quota(self) -> None:
        """Before anything is recorded. Raises ``QuotaReached``."""
        quota = self.retention.quota_bytes
        if quota is not None and await self.used_bytes() >= quota:
            raise QuotaReached

    async def begin(
        self,
        id: RecordingId,
        procedure: ProcedureId,
        room: RoomId,
        started_at: datetime,
    ) -> RecordingRow:
        """A recording begins, and with it the time that it is kept for: by its procedure's class.

        One whose procedure was lost with the database gets an empty, closed one: it must not be lost too.
        Raises ``UnknownProcedure`` for a procedure of another room.
        """
        held = self.audit.rooms.kept(room)
        assert held is not None, "there is a vault"
        kept = select(procedures.c.room, procedures.c.retention_class).where(procedures.c.id == procedure)

        def work(connection: Connection) -> RecordingRow:
            rooms.use(connection, held)
            if connection.execute(kept).first() is None:
                insert_empty(connection, self.vault, procedure, held, started_at)
            case = connection.execute(kept).one()
            if self.audit.rooms.reveal(case.room) != room:
                raise UnknownProcedure
            kept_for = timedelta(days=self.retention.days(case.retention_class))
            statement = upsert(recordings).values(
                id=id,
                procedure=procedure,
                room=held,
                state="recording",
                started_at=started_at,
                retention_class=case.retention_class,
                retain_until=started_at + kept_for,
            )
            connection.execute(statement.on_conflict_do_nothing())
            return load(connection, id, self.audit.rooms)

        return await self.database.write(work)

    async def change(self, id: RecordingId, state: State, ended_at: datetime | None = None) -> None:
        """Another state; what was withdrawn stays so, and what has ended. Raises ``UnknownRecording``."""

        def work(connection: Connection) -> None:
            row = load(connection, id, self.audit.rooms)
            ended = row.state == "sealed" and state in ("recording", "sealing")
            kept: State = row.state if ended or row.state == "withdrawn" else state
            connection.execute(
                update(recordings)
                .where(recordings.c.id == id)
                .values(state=kept, ended_at=ended_at or row.ended_at)
            )

        await self.database.write(work)

    async def add(self, id: RecordingId, sealed: Sequence[SegmentRow]) -> None:
        """Segments that were sealed; known ones take their new place. Raises ``UnknownRecording``."""

        def work(connection: Connection) -> None:
            load(connection, id, self.audit.rooms)
            for one in sealed:
                values = {name: getattr(one, name) for name in one.__slots__}
                statement = upsert(segments).values(recording=id, **values)
                connection.execute(
                    statement.on_conflict_do_update(["recording", "track", "number"], set_=values)
                )

        await self.database.write(work)

    async def moved(self, id: RecordingId, track: TrackId, number: int, location: Location) -> None:
        """A segment lies elsewhere now."""
        here = (segments.c.recording == id, segments.c.track == track, segments.c.number == number)
        await self.database.write(
            lambda connection: connection.execute(update(segments).where(*here).values(location=location))
        )

    async def get(self, id: RecordingId) -> RecordingRow:
        """Raises ``UnknownRecording``."""
        return await self.database.read(lambda connection: load(connection, id, self.audit.rooms))

    async def of(self, procedure: ProcedureId) -> list[RecordingRow]:
        """Those of a procedure, oldest first."""
        query = (
            select(recordings).where(recordings.c.procedure == procedure).order_by(recordings.c.started_at)
        )
        return await self.database.read(
            lambda connection: [_recording(row, self.audit.rooms) for row in connection.execute(query)]
        )

    async def segments(self, id: RecordingId) -> list[SegmentRow]:
        """By track and number."""
        query = select(segments).where(segments.c.recording == id)
        return await self.database.read(
            lambda connection: [
                SegmentRow(**{name: getattr(row, name) for name in SegmentRow.__slots__})
                for row in connection.execute(query.order_by(segments.c.track, segments.c.number))
            ]
        )

    async def finalised(self) -> Collection[RecordingId]:
        """Whose end is in the audit. Raises ``DatabaseFailed``."""
        return await self.database.read(finalised)

    async def used_bytes(self) -> int:
        """Encrypted bytes of all recordings that were not deleted."""
        return await self.database.read(used_bytes)

    async def due(self, at: datetime) -> list[RecordingRow]:
        """Whose time is over and that no hold keeps: for two people to delete."""
        held = select(holds.c.recording).where(holds.c.lifted_at.is_(None))
        query = (
            select(recordings)
            .where(
                recordings.c.retain_until <= at,
                recordings.c.deleted_at.is_(None),
                recordings.c.state.in_(("sealed", "withdrawn")),
                recordings.c.id.not_in(held),
            )
            .order_by(recordings.c.retain_until)
            .limit(MAX_DUE)
        )
        return await self.database.read(
            lambda connection: [_recording(row, self.audit.rooms) for row in connection.execute(query)]
        )

    # ---- Legal hold ----

    async def hold(self, id: RecordingId, reason: str, actor: Actor) -> Hold:
        """Keeps it whatever its time says. Raises ``UnknownRecording``."""

        def work(connection: Connection) -> Hold:
            row = load(connection, id, self.audit.rooms)
            inserted = connection.execute(
                insert(holds).values(
                    recording=id,
                    sealed_reason=self.vault.seal_field(reason, f"recording/{id}/hold"),
                    placed_at=now(),
                    placed_by=actor.id,
                )
            )
            assert inserted.inserted_primary_key is not None  # of the row just inserted
            number = inserted.inserted_primary_key.id
            self._tell(connection, Event.RECORDING_HOLD, row, actor, {"hold": number, "placed": True})
            return self._hold(connection.execute(select(holds).where(holds.c.id == number)).one())

        return await self.database.write(work)

    async def lift(self, id: RecordingId, number: int, actor: Actor) -> None:
        """Ends a hold. Raises ``UnknownRecording`` when none of this number stands."""

        def work(connection: Connection) -> None:
            here = (holds.c.id == number, holds.c.recording == id, holds.c.lifted_at.is_(None))
            lifted = connection.execute(
                update(holds).where(*here).values(lifted_at=now(), lifted_by=actor.id)
            )
            if lifted.rowcount == 0:
                raise UnknownRecording("no such hold stands")
            row = load(connection, id, self.audit.rooms)
            self._tell(connection, Event.RECORDING_HOLD, row, actor, {"hold": number, "placed": False})

        await self.database.write(work)

    async def holds(self, id: RecordingId) -> list[Hold]:
        """All of them, oldest first."""
        query = select(holds).where(holds.c.recording == id).order_by(holds.c.id)
        return await self.database.read(
            lambda connection: [self._hold(row) for row in connection.execute(query)]
        )

    # ---- Parts ----

    def _tell(
        self, connection: Connection, event: Event, row: RecordingRow, actor: Actor, details: dict[str, Any]
    ) -> None:
        self.audit.within(
            connection,
            event,
            actor=actor,
            room=row.room,
            procedure=row.procedure,
            subject=row.id,
            details=details,
        )

    def _hold(self, row: Row[Any]) -> Hold:
        return Hold(
            id=row.id,
            reason=Redacted(self.vault.open_field(row.sealed_reason, f"recording/{row.recording}/hold")),
            placed_at=row.placed_at,
            placed_by=row.placed_by,
            lifted_at=row.lifted_at,
        )


def load(connection: Connection, id: RecordingId, names: RoomNames) -> RecordingRow:
    """Raises ``UnknownRecording``."""
    row = connection.execute(select(recordings).where(recordings.c.id == id)).first()
    if row is None:
        raise UnknownRecording
    return _recording(row, names)


def is_held(connection: Connection, id: RecordingId) -> bool:
    """A hold stands."""
    query = select(holds.c.id).where(holds.c.recording == id, holds.c.lifted_at.is_(None))
    return connection.execute(query).first() is not None


def used_bytes(connection: Connection) -> int:
    """Encrypted bytes of all recordings that were not deleted."""
    query = (
        select(func.coalesce(func.sum(segments.c.encrypted_bytes), 0))
        .join_from(segments, recordings, segments.c.recording == recordings.c.id)
        .where(recordings.c.deleted_at.is_(None))
    )
    return int(connection.execute(query).scalar_one())


def _recording(row: Row[Any], names: RoomNames) -> RecordingRow:
    return RecordingRow(**{**row._mapping, "room": names.reveal(row.room)})
