"""The audit trail takes what happens whatever the database does, in order, once, and no name in clear."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from mediaserver.audit import SYSTEM, Actor, Event
from mediaserver.ids import Redacted
from mediaserver.policy import Role
from mediaserver.store import audit as module
from mediaserver.store.audit import AuditTrail, find
from mediaserver.store.audit_verification import verify
from mediaserver.store.database import Database, DatabaseFailed, Work
from mediaserver.vault import Vault

WHO = Actor(id="p1", role=Role.SPECIALIST, name=Redacted("Nguyễn Văn Ánh"), address_class="private")


async def test_events_are_chained_in_order_with_all_that_was_said(database: Database, vault: Vault) -> None:
    trail = AuditTrail(database, vault)
    trail.append(Event.VIEW_START, actor=WHO, room="7QK2", procedure="pr", subject="s", details={"n": 1})
    trail.append("session.end", actor=SYSTEM, outcome="failed")
    assert trail.spooled == 2
    await trail.flush()
    assert trail.spooled == 0
    first, second = await database.read(find)
    assert (first.seq, first.event, first.actor, first.role) == (1, "view.start", "p1", "specialist")
    assert (first.procedure, first.subject, first.address_class) == ("pr", "s", "private")
    assert first.room_name(trail.rooms) == "7QK2"
    assert json.loads(first.details) == {"n": 1}
    assert first.actor_name(vault) == "Nguyễn Văn Ánh"
    assert (second.seq, second.outcome, second.actor, second.actor_name(vault)) == (
        2,
        "failed",
        "system",
        None,
    )
    assert (await database.read(lambda connection: verify(connection, vault))).intact
    assert [
        record.seq for record in await database.read(lambda c: find(c, room=trail.rooms.held("7QK2")))
    ] == [1]
    assert [record.seq for record in await database.read(lambda c: find(c, after=1))] == [2]
    assert await database.read(lambda c: find(c, since=second.time, until=first.time)) == []


async def test_no_name_is_readable_on_the_disk(database: Database, vault: Vault, tmp_path: Path) -> None:
    trail = AuditTrail(database, vault)
    trail.append(Event.VIEW_START, actor=WHO)
    await trail.flush()
    for file in (tmp_path / "data").iterdir():
        assert "Nguyễn".encode() not in file.read_bytes()
    without = AuditTrail(database, None)
    without.append(Event.VIEW_START, actor=WHO)
    await without.flush()
    assert (await database.read(find))[-1].sealed_actor_name is None


async def test_what_the_database_decides_is_audited_with_it_or_not_at_all(
    database: Database, vault: Vault
) -> None:
    trail = AuditTrail(database, vault)

    def decide(connection: Any, *, fail: bool) -> None:
        trail.within(connection, Event.CONSENT_GIVE, actor=WHO)
        if fail:
            raise ValueError("refused")

    await database.write(lambda connection: decide(connection, fail=False))
    with pytest.raises(ValueError, match="refused"):
        await database.write(lambda connection: decide(connection, fail=True))
    assert [record.event for record in await database.read(find)] == ["consent.give"]


class Failing:
    """A database that fails as often as it is told to."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.failures = 0

    async def write(self, work: Work[Any]) -> Any:
        if self.failures:
            self.failures -= 1
            raise DatabaseFailed
        return await self.database.write(work)


async def test_a_failing_database_delays_but_loses_nothing(
    database: Database, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0)
    failing = Failing(database)
    failing.failures = 3
    trail = AuditTrail(failing, vault)  # type: ignore[arg-type]
    writing = asyncio.create_task(trail.run())
    for number in range(1200):
        trail.append(Event.VIEW_START, actor=WHO, details={"number": number})
    async with asyncio.timeout(20):
        while trail.spooled:  # noqa: ASYNC110 - the real writer's thread works meanwhile
            await asyncio.sleep(0.001)
    writing.cancel()
    records = await database.read(lambda connection: find(connection, limit=5000))
    assert [json.loads(record.details)["number"] for record in records] == list(range(1200))
    assert failing.failures == 0


async def test_a_writer_that_is_cancelled_writes_nothing_twice(database: Database, vault: Vault) -> None:
    trail = AuditTrail(database, vault)
    for _ in range(5):
        trail.append(Event.VIEW_START, actor=WHO)
        writing = asyncio.create_task(trail.flush())
        await asyncio.sleep(0)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    await trail.close()
    assert len(await database.read(find)) == 5


async def test_a_full_spool_counts_and_says_so_later(
    database: Database, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_SPOOLED", 3)
    trail = AuditTrail(database, vault)
    for _ in range(5):
        trail.append(Event.VIEW_START, actor=WHO)
    assert (trail.spooled, trail.lost) == (3, 2)
    await trail.close()
    records = await database.read(find)
    assert [record.event for record in records] == ["view.start"] * 3 + ["audit.gap"]
    assert json.loads(records[-1].details) == {"lost": 2}
    trail.append(Event.VIEW_STOP, actor=WHO)
    await trail.flush()
    assert (await database.read(find))[-1].event == "view.stop"


async def test_rows_cannot_be_changed(database: Database, vault: Vault, tmp_path: Path) -> None:
    trail = AuditTrail(database, vault)
    trail.append(Event.VIEW_START, actor=WHO)
    await trail.close()
    for table in ("audit", "audit_checkpoints"):
        for change in (f"UPDATE {table} SET time = 0", f"DELETE FROM {table}"):
            with pytest.raises(IntegrityError, match="append-only"):
                await database.write(lambda c, change=change: c.exec_driver_sql(change))  # type: ignore[misc]
    with sqlite3.connect(tmp_path / "data" / "loupe.db") as other:
        assert other.execute("SELECT count(*) FROM audit").fetchone() == (1,)
    other.close()
