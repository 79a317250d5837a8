"""Recordings that ended though nobody ended them, as the audit and the register of consents have it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select

from mediaserver.audit import SYSTEM, Event
from mediaserver.events import RecordingInterruption
from mediaserver.ids import ProcedureId, RecordingId, RoomId
from mediaserver.store.audit import AuditTrail
from mediaserver.store.consents import Consents, Purpose
from mediaserver.store.database import Database
from mediaserver.store.schema import audit, procedures

_COURSE: Final = (Event.RECORDING_START, Event.RECORDING_STOP, Event.RECORDING_FINALISE)


@dataclass(frozen=True, slots=True)
class Interruptions:
    """Whether a room's last recording was interrupted: the room emptied, or the server ended or crashed."""

    database: Database
    consents: Consents
    audit: AuditTrail

    async def of(self, room: RoomId) -> RecordingInterruption | None:
        """None without an open procedure, where it may not be recorded, and where somebody ended its last
        recording. Raises ``DatabaseFailed``."""
        await self.audit.flush()
        return await self.database.read_promptly(lambda connection: self._find(connection, room))

    def _find(self, connection: Connection, room: RoomId) -> RecordingInterruption | None:
        held = procedures.c.room.in_(self.audit.rooms.held(room))
        procedure = connection.execute(
            select(procedures.c.id).where(held, procedures.c.closed_at.is_(None))
        ).scalar()
        if procedure is None:
            return None
        if not self.consents.holding(connection, ProcedureId(procedure), Purpose.RECORDING).permitted:
            return None
        recording = _interrupted(connection, procedure)
        return None if recording is None else RecordingInterruption(recording, ProcedureId(procedure))


def _interrupted(connection: Connection, procedure: str) -> RecordingId | None:
    """The procedure's last recording, if neither a person nor a withdrawal ended it."""
    course = (
        select(audit.c.event, audit.c.actor, audit.c.subject, audit.c.details)
        .where(
            audit.c.procedure == procedure,
            audit.c.event.in_([event.value for event in _COURSE]),
            audit.c.outcome == "success",
        )
        .order_by(audit.c.seq.desc())
    )
    ended: set[str] = set()
    for row in connection.execute(course):
        if row.event == Event.RECORDING_START.value:
            return None if row.subject in ended else RecordingId(row.subject)
        stopped = row.event == Event.RECORDING_STOP.value and row.actor != SYSTEM.id
        if stopped or json.loads(row.details).get("state") == "withdrawn":
            ended.add(row.subject)
    return None
