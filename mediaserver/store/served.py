"""Which procedure each room serves and what was decided in it, read at once; and when that changed.

The audit tells of every change, whichever process made it: it is written in the change's own transaction.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from sqlalchemy import Connection, func, select

from mediaserver.audience import Served
from mediaserver.audit import Event
from mediaserver.ids import ProcedureId, RoomId
from mediaserver.store.consents import WATCH_SECONDS, Consents, Decision, Purpose
from mediaserver.store.database import DatabaseFailed
from mediaserver.store.schema import audit, procedures

_CHANGES: Final = (
    Event.PATIENT_BIND, Event.SESSION_END, Event.CONSENT_GIVE, Event.CONSENT_REFUSE, Event.CONSENT_WITHDRAW,
    Event.BREAK_GLASS,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class KeptServedRooms:
    """Over the register of consents."""

    consents: Consents

    async def read(self) -> dict[RoomId, Served]:
        """Every room that serves a procedure. Raises ``DatabaseFailed``."""

        def work(connection: Connection) -> dict[RoomId, Served]:
            standing = select(procedures.c.id, procedures.c.room).where(procedures.c.closed_at.is_(None))
            rooms = self.consents.audit.rooms
            return {
                rooms.reveal(row.room): self._served(connection, ProcedureId(row.id))
                for row in connection.execute(standing)
            }

        return await self.consents.database.read(work)

    async def changes(self) -> AsyncIterator[None]:
        """Once at first, then for whatever was opened, closed or decided, within half a second."""
        seen: int | None = None
        while True:
            with contextlib.suppress(DatabaseFailed):  # whoever waits hears of what comes when it returns
                changed, newest = await self.consents.database.read(partial(_changed_after, seen))
                seen = newest
                if changed:
                    yield
            await asyncio.sleep(WATCH_SECONDS)

    def _served(self, connection: Connection, procedure: ProcedureId) -> Served:
        standing = [self.consents.holding(connection, procedure, one) for one in Purpose]
        return Served(
            procedure,
            frozenset(one.purpose for one in standing if one.permitted),
            frozenset(
                one.purpose
                for one in standing
                if one.consent is not None and one.consent.decision is not Decision.GIVEN
            ),
        )


def _changed_after(seen: int | None, connection: Connection) -> tuple[bool, int]:
    """Whether anything was, and the newest entry that was looked at."""
    newest = int(connection.execute(select(func.coalesce(func.max(audit.c.seq), 0))).scalar_one())
    if seen is None:
        return True, newest
    query = select(audit.c.seq).where(audit.c.seq > seen, audit.c.event.in_(_CHANGES)).limit(1)
    return connection.execute(query).first() is not None, newest
