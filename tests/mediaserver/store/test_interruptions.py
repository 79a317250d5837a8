"""What counts as an interrupted recording: by the audit, the consents and the procedure."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from mediaserver.audit import SYSTEM, Actor, Event
from mediaserver.ids import ProcedureId, Redacted, RoomId
from mediaserver.store.audit import AuditTrail
from mediaserver.store.consents import Consent, Consents, Decision, Purpose
from mediaserver.store.database import Database
from mediaserver.store.interruptions import Interruptions
from mediaserver.store.procedures import Procedures
from mediaserver.store.schema import now
from mediaserver.vault import Vault

ROOM = RoomId("7QK2")
NURSE = Actor(id="nurse")


@dataclass
class Case:
    """A procedure that may be recorded, and its audit."""

    audit: AuditTrail
    consents: Consents
    procedures: Procedures
    procedure: ProcedureId

    def note(self, event: Event, recording: str, actor: Actor = SYSTEM, **more: str) -> None:
        self.audit.append(
            event, actor=actor, room=ROOM, procedure=self.procedure, subject=recording, details=more
        )

    async def decide(self, decision: Decision) -> None:
        said = Consent(
            purpose=Purpose.RECORDING, decision=decision, by=Redacted("A"), relation="patient",
            form="written", text_version="1", language="vi", decided_at=now(),
        )  # fmt: skip
        await self.consents.decide(self.procedure, said, NURSE)

    async def found(self, room: RoomId = ROOM) -> str | None:
        told = await Interruptions(self.audit.database, self.consents, self.audit).of(room)
        assert told is None or told.procedure == self.procedure
        return None if told is None else told.recording


@pytest.fixture
async def case(database: Database, vault: Vault) -> Case:
    audit = AuditTrail(database, vault)
    consents, procedures = Consents(database, vault, audit), Procedures(database, vault, audit)
    opened = Case(audit, consents, procedures, (await procedures.open(ROOM, "BN-1", "", (), NURSE)).id)
    await opened.decide(Decision.GIVEN)
    return opened


async def test_one_that_never_began_is_not_interrupted(case: Case) -> None:
    assert await case.found() is None
    case.audit.append(
        Event.RECORDING_START, actor=NURSE, room=ROOM, procedure=case.procedure, outcome="denied"
    )
    assert await case.found() is None


async def test_a_server_that_crashed_or_ended_and_a_room_that_emptied_interrupt(case: Case) -> None:
    case.note(Event.RECORDING_START, "r1", NURSE)
    assert await case.found() == "r1"
    case.note(Event.RECORDING_STOP, "r1", state="sealed")
    case.note(Event.RECORDING_FINALISE, "r1", state="sealed")
    assert await case.found() == "r1"
    assert await case.found(RoomId("other")) is None


async def test_what_somebody_ended_or_left_so_is_not_interrupted(case: Case) -> None:
    case.note(Event.RECORDING_START, "r1", NURSE)
    case.note(Event.RECORDING_STOP, "r1", NURSE, state="sealed")
    assert await case.found() is None
    case.note(Event.RECORDING_START, "r2", NURSE)
    case.note(Event.RECORDING_FINALISE, "r1", state="sealed")
    assert await case.found() == "r2"
    case.note(Event.RECORDING_STOP, "r2", state="sealed")
    case.note(Event.RECORDING_STOP, "r2", NURSE, state="left_interrupted")
    assert await case.found() is None


@pytest.mark.parametrize("event", [Event.RECORDING_STOP, Event.RECORDING_FINALISE])
async def test_a_withdrawal_is_no_interruption_also_once_consent_is_given_again(
    case: Case, event: Event
) -> None:
    case.note(Event.RECORDING_START, "r1", NURSE)
    await case.decide(Decision.WITHDRAWN)
    assert await case.found() is None
    case.note(event, "r1", state="withdrawn")
    await case.decide(Decision.GIVEN)
    assert await case.found() is None


async def test_nothing_is_missing_once_the_procedure_is_closed(case: Case) -> None:
    case.note(Event.RECORDING_START, "r1", NURSE)
    await case.procedures.close(case.procedure, NURSE)
    assert await case.found() is None
