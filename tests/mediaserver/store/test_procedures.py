"""Procedures: one patient a room at a time, nothing readable on the disk, every change audited."""

from __future__ import annotations

from pathlib import Path

import pytest

from mediaserver.audit import Actor
from mediaserver.ids import ProcedureId, Redacted, RoomId
from mediaserver.policy import Role
from mediaserver.store.audit import AuditTrail, find
from mediaserver.store.database import Database
from mediaserver.store.procedures import (
    Procedure,
    ProcedureClosed,
    ProcedureOpen,
    Procedures,
    StaffMember,
    UnknownProcedure,
)
from mediaserver.vault import Vault

NURSE = Actor(id="nurse", role=Role.STAFF)
TEAM = (
    StaffMember(Role.SURGEON, Redacted("Đặng Thị Hồng")),
    StaffMember(Role.SPECIALIST, Redacted("Lê Văn Đức")),
)
ROOM = RoomId("7QK2")


@pytest.fixture
def procedures(database: Database, vault: Vault) -> Procedures:
    return Procedures(database, vault, AuditTrail(database, vault))


async def open_one(procedures: Procedures, room: RoomId = ROOM) -> Procedure:
    return await procedures.open(room, "BN-0042", "Cắt túi mật nội soi", TEAM, NURSE)


async def test_what_was_opened_is_found_again(procedures: Procedures, database: Database) -> None:
    opened = await open_one(procedures)
    assert await procedures.get(opened.id) == opened
    assert await procedures.current(ROOM) == opened
    assert await procedures.current(RoomId("other")) is None
    assert [one.name.reveal() for one in opened.staff] == ["Đặng Thị Hồng", "Lê Văn Đức"]
    confirmed = await procedures.confirm(opened.id, NURSE)
    assert confirmed.confirmed_at is not None
    closed = await procedures.close(opened.id, NURSE)
    assert closed.closed_at is not None
    records = await database.read(find)
    assert [record.event for record in records] == ["patient.bind", "patient.confirm", "session.end"]
    rooms = procedures.audit.rooms
    assert {(record.room_name(rooms), record.procedure, record.actor) for record in records} == {
        (ROOM, opened.id, "nurse")
    }


async def test_a_room_serves_one_patient_at_a_time(procedures: Procedures, database: Database) -> None:
    first = await open_one(procedures)
    with pytest.raises(ProcedureOpen):
        await open_one(procedures)
    assert len(await database.read(find)) == 1, "what was refused leaves no trace of a binding"
    await open_one(procedures, RoomId("other"))
    await procedures.close(first.id, NURSE)
    second = await open_one(procedures)
    assert [one.id for one in await procedures.find(ROOM)] == [second.id, first.id]
    assert [one.id for one in await procedures.find(ROOM, open_only=True)] == [second.id]
    assert len(await procedures.find(None)) == 3


async def test_a_closed_one_takes_nothing_more(procedures: Procedures) -> None:
    opened = await open_one(procedures)
    await procedures.close(opened.id, NURSE)
    with pytest.raises(ProcedureClosed):
        await procedures.confirm(opened.id, NURSE)
    with pytest.raises(UnknownProcedure):
        await procedures.close(ProcedureId("none"), NURSE)


async def test_no_reference_title_or_name_is_readable_on_the_disk(
    procedures: Procedures, tmp_path: Path
) -> None:
    opened = await open_one(procedures)
    for file in (tmp_path / "data").iterdir():
        content = file.read_bytes()
        for text in ("BN-0042", "túi mật", "Hồng", "Đức"):
            assert text.encode() not in content, file
    assert "BN-0042" not in repr(opened)
    assert "Hồng" not in repr(opened)
