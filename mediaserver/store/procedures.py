"""Procedures: the clinical case that a room serves. A room serves one at a time; another patient is another
procedure. References and names are sealed; nothing here is readable without the vault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, insert, select, update

from mediaserver.audit import SYSTEM, Actor, Event
from mediaserver.config import RetentionClass
from mediaserver.errors import LoupeError
from mediaserver.ids import ProcedureId, Redacted, RoomId, new_procedure_id
from mediaserver.policy import Role
from mediaserver.store import rooms
from mediaserver.store.audit import AuditTrail
from mediaserver.store.database import Database
from mediaserver.store.schema import now, procedures, staff
from mediaserver.vault import Vault

MAX_STAFF: Final = 32
MAX_REFERENCE_CHARACTERS: Final = 64
MAX_TITLE_CHARACTERS: Final = 200
MAX_NAME_CHARACTERS: Final = 64
MAX_FOUND: Final = 200


class UnknownProcedure(LoupeError):
    """No procedure of this id, or none that the asker may see."""

    code = "unknown_procedure"
    default = "no such procedure"


class ProcedureOpen(LoupeError):
    """The room serves another procedure."""

    code = "procedure_open"
    default = "this room serves another procedure; close that one first"


class ProcedureClosed(LoupeError):
    """Nothing can be added to it any more."""

    code = "procedure_closed"
    default = "this procedure is closed"


@dataclass(frozen=True, slots=True)
class StaffMember:
    """Somebody of the team, as written down when the procedure was opened."""

    role: Role
    name: Redacted[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure:
    """One clinical case."""

    id: ProcedureId
    room: RoomId
    reference: Redacted[str]
    """Pseudonymous: what the hospital calls the patient in this case."""
    title: Redacted[str]
    staff: tuple[StaffMember, ...]
    retention_class: RetentionClass
    """How long what is recorded of it is kept."""
    opened_at: datetime
    opened_by: str
    confirmed_at: datetime | None
    """When the patient was confirmed by two identifiers."""
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Procedures:
    """Opens, finds and closes them; each change is audited in its own transaction."""

    database: Database
    vault: Vault
    audit: AuditTrail

    async def open(
        self,
        room: RoomId,
        reference: str,
        title: str,
        team: Sequence[StaffMember],
        actor: Actor,
        retention_class: RetentionClass = "clinical",
    ) -> Procedure:
        """Binds the room to a patient. Raises ``ProcedureOpen``, ``DatabaseFailed``."""
        procedure = Procedure(
            id=new_procedure_id(),
            room=room,
            reference=Redacted(reference),
            title=Redacted(title),
            staff=tuple(team),
            retention_class=retention_class,
            opened_at=now(),
            opened_by=actor.id,
            confirmed_at=None,
            closed_at=None,
        )

        def work(connection: Connection) -> None:
            if connection.execute(select(procedures.c.id).where(*self._serves(room))).first() is not None:
                raise ProcedureOpen
            self._insert(connection, procedure)
            self.audit.within(
                connection, Event.PATIENT_BIND, actor=actor, room=room, procedure=procedure.id,
                details={"staff": len(team), "retention_class": retention_class},
            )  # fmt: skip

        await self.database.write(work)
        return procedure

    async def get(self, id: ProcedureId) -> Procedure:
        """Raises ``UnknownProcedure``."""
        return await self.database.read(lambda connection: self.load(connection, id))

    async def current(self, room: RoomId) -> Procedure | None:
        """The one the room serves now."""
        found = await self.find(room, open_only=True)
        return found[0] if found else None

    async def find(self, room: RoomId | None, *, open_only: bool = False) -> list[Procedure]:
        """Of one room or all, newest first, at most ``MAX_FOUND``."""
        query = select(procedures).order_by(procedures.c.opened_at.desc()).limit(MAX_FOUND)
        if room is not None:
            query = query.where(procedures.c.room.in_(self.audit.rooms.held(room)))
        if open_only:
            query = query.where(procedures.c.closed_at.is_(None))
        return await self.database.read(
            lambda connection: [self._open(connection, row) for row in connection.execute(query)]
        )

    async def confirm(self, id: ProcedureId, actor: Actor) -> Procedure:
        """The patient was confirmed by two identifiers. Raises ``UnknownProcedure``, ``ProcedureClosed``."""
        return await self._change(id, "confirmed_at", Event.PATIENT_CONFIRM, actor)

    async def close(self, id: ProcedureId, actor: Actor) -> Procedure:
        """The room is free for another. Raises ``UnknownProcedure``, ``ProcedureClosed``."""
        return await self._change(id, "closed_at", Event.SESSION_END, actor)

    def load(self, connection: Connection, id: ProcedureId) -> Procedure:
        """Raises ``UnknownProcedure``."""
        row = connection.execute(select(procedures).where(procedures.c.id == id)).first()
        if row is None:
            raise UnknownProcedure
        return self._open(connection, row)

    # ---- Parts ----

    async def _change(self, id: ProcedureId, column: str, event: Event, actor: Actor) -> Procedure:
        def work(connection: Connection) -> Procedure:
            procedure = self.load(connection, id)
            if procedure.closed_at is not None:
                raise ProcedureClosed
            connection.execute(update(procedures).where(procedures.c.id == id).values({column: now()}))
            self.audit.within(connection, event, actor=actor, room=procedure.room, procedure=id)
            return self.load(connection, id)

        return await self.database.write(work)

    def _serves(self, room: RoomId) -> tuple[ColumnElement[bool], ...]:
        """What is true of the procedure that the room serves now."""
        return procedures.c.room.in_(self.audit.rooms.held(room)), procedures.c.closed_at.is_(None)

    def _insert(self, connection: Connection, procedure: Procedure) -> None:
        id, seal = procedure.id, self.vault.seal_field
        room = self.audit.rooms.kept(procedure.room)
        assert room is not None, "there is a vault"
        rooms.use(connection, room)
        connection.execute(
            insert(procedures).values(
                id=id,
                room=room,
                sealed_reference=seal(procedure.reference.reveal(), f"procedure/{id}/reference"),
                sealed_title=seal(procedure.title.reveal(), f"procedure/{id}/title"),
                opened_at=procedure.opened_at,
                opened_by=procedure.opened_by,
                retention_class=procedure.retention_class,
            )
        )
        team = [
            {
                "procedure": id,
                "position": position,
                "role": one.role.value,
                "sealed_name": seal(one.name.reveal(), f"procedure/{id}/staff/{position}"),
            }
            for position, one in enumerate(procedure.staff)
        ]
        if team:
            connection.execute(insert(staff), team)

    def _open(self, connection: Connection, row: Row[Any]) -> Procedure:
        id, unseal = row.id, self.vault.open_field
        team = connection.execute(select(staff).where(staff.c.procedure == id).order_by(staff.c.position))
        return Procedure(
            id=ProcedureId(id),
            room=self.audit.rooms.reveal(row.room),
            reference=Redacted(unseal(row.sealed_reference, f"procedure/{id}/reference")),
            title=Redacted(unseal(row.sealed_title, f"procedure/{id}/title")),
            staff=tuple(
                StaffMember(
                    Role(one.role), Redacted(unseal(one.sealed_name, f"procedure/{id}/staff/{one.position}"))
                )
                for one in team
            ),
            retention_class=row.retention_class,
            opened_at=row.opened_at,
            opened_by=row.opened_by,
            confirmed_at=row.confirmed_at,
            closed_at=row.closed_at,
        )


def insert_empty(
    connection: Connection, vault: Vault, id: ProcedureId, room: str, opened_at: datetime
) -> None:
    """Stands in, closed, for one of this room (as tables hold its name) that the database lost."""
    connection.execute(
        insert(procedures).values(
            id=id,
            room=room,
            sealed_reference=vault.seal_field("", f"procedure/{id}/reference"),
            sealed_title=vault.seal_field("", f"procedure/{id}/title"),
            opened_at=opened_at,
            opened_by=SYSTEM.id,
            closed_at=opened_at,
        )
    )
