"""Bookmarks: kept in order, sealed, bounded, removed without a trace on the page but not in the audit."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from mediaserver.audit import Actor
from mediaserver.errors import LimitReached
from mediaserver.ids import ProcedureId, RoomId
from mediaserver.store import bookmarks as module
from mediaserver.store.audit import AuditTrail, find
from mediaserver.store.bookmarks import Bookmarks, UnknownBookmark
from mediaserver.store.database import Database
from mediaserver.store.procedures import Procedures, UnknownProcedure
from mediaserver.store.schema import now
from mediaserver.vault import Vault

ME = Actor(id="me")


async def test_marking_and_removing(
    database: Database, vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit = AuditTrail(database, vault)
    kept = Bookmarks(database, vault, audit)
    procedure = (await Procedures(database, vault, audit).open(RoomId("7QK2"), "BN", "", (), ME)).id
    start = now()
    later = await kept.mark(procedure, start + timedelta(seconds=9), "Kẹp động mạch", ME, live=False)
    first = await kept.mark(procedure, start, "Bắt đầu", ME, live=True)
    assert await kept.of(procedure) == [first, later]
    assert [one.label.reveal() for one in await kept.of(procedure)] == ["Bắt đầu", "Kẹp động mạch"]
    for file in (tmp_path / "data").iterdir():
        assert "mạch".encode() not in file.read_bytes()
    await kept.remove(procedure, first.id, ME)
    assert await kept.of(procedure) == [later]
    for wrong in ((procedure, first.id), (ProcedureId("none"), later.id)):
        with pytest.raises(UnknownBookmark):
            await kept.remove(*wrong, ME)
    with pytest.raises(UnknownProcedure):
        await kept.mark(ProcedureId("none"), start, "", ME, live=True)
    monkeypatch.setattr(module, "MAX_BOOKMARKS", 2)
    with pytest.raises(LimitReached):
        await kept.mark(procedure, start, "", ME, live=True)
    events = [record.event for record in await database.read(find)]
    assert events == ["patient.bind", "bookmark.create", "bookmark.create", "bookmark.remove"]
