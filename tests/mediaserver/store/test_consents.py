"""Consents: nothing without one, the newest decision holds, nothing overrules a refusal, all is audited."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mediaserver.audit import Actor
from mediaserver.errors import NotPermitted
from mediaserver.ids import ProcedureId, Redacted, RoomId
from mediaserver.policy import Role
from mediaserver.store.audit import AuditTrail, find
from mediaserver.store.consents import (
    Consent,
    ConsentMissing,
    Consents,
    Decision,
    NothingToWithdraw,
    Purpose,
    Revoked,
)
from mediaserver.store.database import Database, DatabaseFailed
from mediaserver.store.procedures import ProcedureClosed, Procedures, UnknownProcedure
from mediaserver.store.schema import now
from mediaserver.vault import Vault

NURSE = Actor(id="nurse", role=Role.STAFF)
OTHER = Actor(id="other", role=Role.AUDITOR)


@pytest.fixture
def consents(database: Database, vault: Vault) -> Consents:
    return Consents(database, vault, AuditTrail(database, vault))


@pytest.fixture
def procedures(database: Database, vault: Vault) -> Procedures:
    return Procedures(database, vault, AuditTrail(database, vault))


@pytest.fixture
async def procedure(procedures: Procedures) -> ProcedureId:
    return (await procedures.open(RoomId("7QK2"), "BN-1", "", (), NURSE)).id


def decision(what: Decision, purpose: Purpose = Purpose.RECORDING) -> Consent:
    return Consent(
        purpose=purpose,
        decision=what,
        by=Redacted("Nguyễn Thị Ánh"),
        relation="relative",
        form="read_aloud",
        text_version="2026-11",
        language="vi",
        decided_at=now(),
    )


GIVEN, REFUSED, WITHDRAWN = map(decision, (Decision.GIVEN, Decision.REFUSED, Decision.WITHDRAWN))


async def test_nothing_is_permitted_until_somebody_consents(
    consents: Consents, procedure: ProcedureId
) -> None:
    for purpose in Purpose:
        assert not await consents.permits(procedure, purpose)
        with pytest.raises(ConsentMissing, match=purpose.value):
            await consents.require(procedure, purpose)
    assert not await consents.permits(ProcedureId("none"), "recording")
    await consents.decide(procedure, GIVEN, NURSE)
    await consents.require(procedure, Purpose.RECORDING)
    assert not await consents.permits(procedure, "teaching"), "each purpose by itself"


async def test_all_that_was_said_is_kept_and_audited(
    consents: Consents, procedure: ProcedureId, database: Database, tmp_path: Path
) -> None:
    for one in (GIVEN, WITHDRAWN, REFUSED):
        await consents.decide(procedure, one, NURSE)
    kept = await consents.history(procedure)
    assert [one.decision for one in kept] == [Decision.GIVEN, Decision.WITHDRAWN, Decision.REFUSED]
    first = kept[0]
    assert (first.by.reveal(), first.relation, first.form) == ("Nguyễn Thị Ánh", "relative", "read_aloud")
    assert (first.text_version, first.language, first.recorded_by) == ("2026-11", "vi", "nurse")
    assert first.decided_at == GIVEN.decided_at
    events = [record.event for record in await database.read(find)]
    assert events == ["patient.bind", "consent.give", "consent.withdraw", "consent.refuse"]
    for file in (tmp_path / "data").iterdir():
        assert "Nguyễn".encode() not in file.read_bytes()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(decisions=st.lists(st.sampled_from(Decision), max_size=6))
async def test_the_newest_decision_holds(
    consents: Consents, procedures: Procedures, decisions: list[Decision]
) -> None:
    room = RoomId(f"room-{time.monotonic_ns()}")
    procedure = (await procedures.open(room, "BN", "", (), NURSE)).id
    expected = False
    for one in decisions:
        if one is Decision.WITHDRAWN and not expected:
            with pytest.raises(NothingToWithdraw):
                await consents.decide(procedure, decision(one), NURSE)
        else:
            standing = await consents.decide(procedure, decision(one), NURSE)
            expected = one is Decision.GIVEN
            assert standing.permitted is expected
        assert await consents.permits(procedure, "recording") is expected


async def test_a_closed_procedure_permits_nothing_but_can_be_withdrawn_from(
    consents: Consents, procedures: Procedures, procedure: ProcedureId
) -> None:
    await consents.decide(procedure, GIVEN, NURSE)
    await procedures.close(procedure, NURSE)
    assert not await consents.permits(procedure, "recording")
    with pytest.raises(ProcedureClosed):
        await consents.decide(procedure, GIVEN, NURSE)
    with pytest.raises(ProcedureClosed):
        await consents.break_glass(procedure, Purpose.TREATMENT_LINK, "x", NURSE)
    assert not (await consents.decide(procedure, WITHDRAWN, NURSE)).permitted
    with pytest.raises(UnknownProcedure):
        await consents.decide(ProcedureId("none"), GIVEN, NURSE)


async def test_break_glass_is_for_who_cannot_be_asked_and_is_reviewed_by_another(
    consents: Consents, procedure: ProcedureId, database: Database
) -> None:
    standing = await consents.break_glass(procedure, Purpose.RECORDING, "Bệnh nhân hôn mê", NURSE)
    assert standing.permitted
    assert await consents.permits(procedure, "recording")
    [(where, broken)] = await consents.unreviewed()
    assert (where, broken.reason.reveal(), broken.broken_by) == (procedure, "Bệnh nhân hôn mê", "nurse")
    with pytest.raises(NotPermitted, match="does not review"):
        await consents.review(broken.id, "fine", NURSE)
    reviewed = await consents.review(broken.id, "Đúng quy trình", OTHER)
    assert reviewed.finding is not None
    assert (reviewed.finding.reveal(), reviewed.reviewed_by) == ("Đúng quy trình", "other")
    assert await consents.unreviewed() == []
    with pytest.raises(UnknownProcedure):
        await consents.review(broken.id, "again", OTHER)
    events = [record.event for record in await database.read(find)]
    assert events == ["patient.bind", "breakglass", "breakglass.review"]


@pytest.mark.parametrize("decided", [GIVEN, REFUSED])
async def test_break_glass_never_overrules_a_decision(
    consents: Consents, procedure: ProcedureId, decided: Consent
) -> None:
    await consents.decide(procedure, decided, NURSE)
    with pytest.raises(ConsentMissing, match="cannot be asked"):
        await consents.break_glass(procedure, Purpose.RECORDING, "x", NURSE)


async def test_a_decision_ends_break_glass(consents: Consents, procedure: ProcedureId) -> None:
    await consents.break_glass(procedure, Purpose.RECORDING, "x", NURSE)
    assert not (await consents.decide(procedure, WITHDRAWN, NURSE)).permitted


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_whoever_serves_a_purpose_hears_of_its_end_within_two_seconds(
    consents: Consents, procedure: ProcedureId, database: Database, vault: Vault, elsewhere: bool
) -> None:
    await consents.decide(procedure, GIVEN, NURSE)
    ended = consents.revoked()
    waiting = asyncio.ensure_future(anext(ended))
    while not waiting.done() and not consents._decided._waiters:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    # Another register over the same file stands for another process.
    by = Consents(database, vault, AuditTrail(database, vault)) if elsewhere else consents
    await by.decide(procedure, decision(Decision.GIVEN, Purpose.TEACHING), NURSE)
    await by.decide(procedure, WITHDRAWN, NURSE)
    async with asyncio.timeout(2):
        assert await waiting == Revoked(procedure, Purpose.RECORDING)
    await ended.aclose()  # type: ignore[attr-defined] # a generator


async def test_long_reads_of_others_do_not_keep_a_withdrawal_from_being_heard(
    consents: Consents, procedure: ProcedureId, database: Database
) -> None:
    """As of several auditors who verify a chain of years."""
    await consents.decide(procedure, GIVEN, NURSE)
    ended = consents.revoked()
    waiting = asyncio.ensure_future(anext(ended))
    while not consents._decided._waiters:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    hold = threading.Event()
    reads = [asyncio.ensure_future(read(lambda _: hold.wait(10)))
        for read in (database.read, database.read_at_length) for _ in range(6)]  # fmt: skip
    await asyncio.sleep(0)
    async with asyncio.timeout(2):
        await consents.decide(procedure, WITHDRAWN, NURSE)
        assert await waiting == Revoked(procedure, Purpose.RECORDING)
        assert not await consents.permits(procedure, Purpose.RECORDING)
    hold.set()
    await asyncio.gather(*reads)
    await ended.aclose()  # type: ignore[attr-defined] # a generator


async def test_a_database_that_fails_for_a_while_delays_the_news_only(
    consents: Consents, procedure: ProcedureId, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await consents.decide(procedure, GIVEN, NURSE)
    ended = consents.revoked()
    waiting = asyncio.ensure_future(anext(ended))
    while not consents._decided._waiters:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    read, failures = database.read_promptly, [1, 2]

    async def failing(work: Any) -> Any:
        if failures:
            failures.pop()
            raise DatabaseFailed
        return await read(work)

    monkeypatch.setattr(Database, "read_promptly", lambda _, work: failing(work))
    await consents.decide(procedure, WITHDRAWN, NURSE)
    async with asyncio.timeout(3):
        assert await waiting == Revoked(procedure, Purpose.RECORDING)
    assert failures == []
    await ended.aclose()  # type: ignore[attr-defined] # a generator


async def test_what_was_revoked_since_a_moment(
    consents: Consents, procedures: Procedures, procedure: ProcedureId
) -> None:
    async def revoked(since: datetime) -> bool:
        return await consents.revoked_since(procedure, Purpose.RECORDING, since)

    begun = now()
    assert not await consents.revoked_since(ProcedureId("none"), Purpose.RECORDING, begun)
    await consents.decide(procedure, GIVEN, NURSE)
    await consents.decide(procedure, decision(Decision.REFUSED, Purpose.TEACHING), NURSE)
    assert not await revoked(begun)
    await consents.decide(procedure, WITHDRAWN, NURSE)
    assert await revoked(begun)
    assert await revoked(now() + timedelta(hours=1)), "it does not stand, whatever the clocks say"
    await consents.decide(procedure, GIVEN, NURSE)
    assert await revoked(begun), "what was taken before was taken back"
    assert not await revoked(now() + timedelta(hours=1))
    await procedures.close(procedure, NURSE)
    assert not await revoked(now() + timedelta(hours=1)), "nobody took it back"
