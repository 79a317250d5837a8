"""Which procedure a room serves and what holds in it; heard of whichever process decides."""

from __future__ import annotations

import asyncio

from mediaserver.audience import Served
from mediaserver.audit import SYSTEM
from mediaserver.ids import RoomId
from mediaserver.store.audit import AuditTrail
from mediaserver.store.consents import Consents, Decision, Purpose
from mediaserver.store.database import Database
from mediaserver.store.procedures import Procedures
from mediaserver.store.served import KeptServedRooms
from mediaserver.vault import Vault
from tests.mediaserver.store.test_consents import NURSE, decision

ROOM = RoomId("7QK2")


async def test_what_holds_is_read_and_every_change_is_heard_of(database: Database, vault: Vault) -> None:
    audit = AuditTrail(database, vault)
    procedures, consents = Procedures(database, vault, audit), Consents(database, vault, audit)
    kept = KeptServedRooms(consents)
    changes = kept.changes()
    async with asyncio.timeout(10):
        await anext(changes)
        assert await kept.read() == {}
        procedure = (await procedures.open(ROOM, "BN-1", "", (), NURSE)).id
        await anext(changes)
        assert await kept.read() == {ROOM: Served(procedure)}
        await consents.decide(procedure, decision(Decision.GIVEN, Purpose.TEACHING), SYSTEM)
        await consents.decide(procedure, decision(Decision.REFUSED, Purpose.OUTSIDE_VIEWERS), SYSTEM)
        await consents.break_glass(procedure, Purpose.RECORDING, "Hôn mê", SYSTEM)
        await anext(changes)
        assert await kept.read() == {
            ROOM: Served(
                procedure,
                frozenset({Purpose.TEACHING, Purpose.RECORDING}),
                frozenset({Purpose.OUTSIDE_VIEWERS}),
            )
        }
        await procedures.close(procedure, NURSE)
        await anext(changes)
        assert await kept.read() == {}
