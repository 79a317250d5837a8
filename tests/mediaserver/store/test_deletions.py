"""Deletion: two people, no hold, its time over; then nothing is left to read but a certificate."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import obstore
import pytest
from sqlalchemy import update

from mediaserver.audit import Actor
from mediaserver.config import Storage
from mediaserver.errors import NotPermitted
from mediaserver.ids import Redacted
from mediaserver.store.audit import AuditTrail, find
from mediaserver.store.database import Database
from mediaserver.store.deletions import (
    Deletions,
    Person,
    RecordingKept,
    UnknownDeletion,
    check_certificate,
)
from mediaserver.store.objects import Objects, StorageFailed
from mediaserver.store.offload import Offload
from mediaserver.store.schema import recordings
from mediaserver.vault import NotAuthentic, Vault
from tests.mediaserver.store.kept import keep
from tests.running import until


def person(origin: str, name: str) -> Person:
    return Person(origin, Redacted(name), Actor(id=origin))


CHAIR, AUDITOR = person("chair", "Lê Văn Đức"), person("auditor", "Đặng Thị Hồng")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data" / "recordings"


@pytest.fixture
def deletions(database: Database, vault: Vault, root: Path) -> Deletions:
    return Deletions(database, vault, AuditTrail(database, vault), (root, root.parent / "second"), None)


async def test_two_people_destroy_and_a_certificate_says_what(
    deletions: Deletions, database: Database, vault: Vault, root: Path
) -> None:
    kept, other = await keep(database, vault, root), await keep(database, vault, root)
    asked = await deletions.ask(kept.id, "Hết hạn lưu", CHAIR)
    assert kept.folder.exists(), "one person destroys nothing"
    done = await deletions.confirm(kept.id, asked.id, AUDITOR)
    assert not kept.folder.exists()
    assert (await kept.recordings.get(kept.id)).deleted_at is not None
    assert other.segment(1).exists()
    assert done.certificate is not None
    content = check_certificate(done.certificate)
    assert (content["recording"], content["segments"]) == (kept.id, 2)
    assert (content["asked_by"], content["confirmed_by"]) == ("chair", "auditor")
    assert len(content["manifest_sha256"]) == 1
    assert "Hết hạn".encode() not in done.certificate
    forged = json.loads(done.certificate)
    forged["certificate"]["segments"] = 1
    with pytest.raises(NotAuthentic):
        check_certificate(json.dumps(forged).encode())
    steps = [
        json.loads(record.details)["step"]
        for record in await database.read(find)
        if record.event == "recording.delete"
    ]
    assert steps == ["asked", "confirmed", "destroyed"]
    with pytest.raises(RecordingKept, match="already"):
        await deletions.ask(kept.id, "again", CHAIR)


@pytest.mark.parametrize(
    "same",
    [
        CHAIR,
        person("chair", "Ai Khác"),
        person("another", "lê văn đức"),
        person("another", "Le  Van Duc"),
        person("another", "LêVăn Đức"),
        person("another", " "),
    ],
    ids=[
        "herself",
        "another token of hers",
        "another invitation of her name",
        "no accents",
        "no space",
        "nobody",
    ],
)
async def test_the_second_person_is_another_person(
    deletions: Deletions, database: Database, vault: Vault, root: Path, same: Person
) -> None:
    kept = await keep(database, vault, root)
    asked = await deletions.ask(kept.id, "x", CHAIR)
    with pytest.raises(NotPermitted):
        await deletions.confirm(kept.id, asked.id, same)
    assert kept.segment(1).exists()


async def test_time_hold_and_state_keep_it(
    deletions: Deletions, database: Database, vault: Vault, root: Path
) -> None:
    clinical = await keep(database, vault, root, retained="clinical")
    with pytest.raises(RecordingKept, match="clinical keeps it until"):
        await deletions.ask(clinical.id, "x", CHAIR)
    kept = await keep(database, vault, root)
    asked = await deletions.ask(kept.id, "x", CHAIR)
    hold = await kept.recordings.hold(kept.id, "Kiện tụng", AUDITOR.actor)
    with pytest.raises(RecordingKept, match="hold"):
        await deletions.confirm(kept.id, asked.id, AUDITOR)
    assert kept.segment(1).exists(), "a hold that came after the asking wins"
    await kept.recordings.lift(kept.id, hold.id, AUDITOR.actor)
    await database.write(lambda connection: connection.execute(update(recordings).values(state="recording")))
    with pytest.raises(RecordingKept, match="still being made"):
        await deletions.confirm(kept.id, asked.id, AUDITOR)
    await kept.recordings.change(kept.id, "sealed")
    await deletions.confirm(kept.id, asked.id, AUDITOR)
    assert not kept.folder.exists()


async def test_what_was_refused_or_never_asked_cannot_be_confirmed(
    deletions: Deletions, database: Database, vault: Vault, root: Path
) -> None:
    kept = await keep(database, vault, root)
    asked = await deletions.ask(kept.id, "x", CHAIR)
    await deletions.refuse(kept.id, asked.id, AUDITOR)
    for number in (asked.id, 999):
        with pytest.raises(UnknownDeletion):
            await deletions.confirm(kept.id, number, AUDITOR)
    [one] = await deletions.of(kept.id)
    assert one.refused_at is not None
    assert kept.segment(1).exists()


async def test_a_crash_after_the_confirmation_is_finished_at_the_next_start(
    deletions: Deletions, database: Database, vault: Vault, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = await keep(database, vault, root)
    asked = await deletions.ask(kept.id, "x", CHAIR)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mediaserver.store.deletions.shutil.rmtree", die)
        with pytest.raises(KeyboardInterrupt):
            deletions._erase(kept.id)
    assert not (kept.folder / "key").exists(), "the key goes first"
    assert await deletions.resume() == 0, "nobody confirmed it yet"
    with monkeypatch.context() as patch:
        patch.setattr(Deletions, "_destroy", lambda *_: _nothing())
        await deletions.confirm(kept.id, asked.id, AUDITOR)
    assert await deletions.resume() == 1
    assert not kept.folder.exists()
    [done] = await deletions.of(kept.id)
    assert done.certificate is not None
    assert await deletions.resume() == 0


async def test_a_store_that_fails_delays_a_deletion_and_nobody_finds_it_meanwhile(
    database: Database, vault: Vault, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mediaserver.store.deletions.RETRY_SECONDS", 0.01)
    (tmp_path / "share").mkdir()
    objects = Objects.open(Storage(url=f"file://{tmp_path / 'share'}"))
    first, kept, last = [await keep(database, vault, root) for _ in range(3)]
    deletions = Deletions(database, vault, AuditTrail(database, vault), (root,), objects)
    really = Objects.delete_all

    def failing(store: Objects, prefix: str) -> int:
        if kept.id in prefix:
            raise StorageFailed
        if first.id in prefix:
            raise PermissionError
        return really(store, prefix)

    with monkeypatch.context() as patch:
        patch.setattr(Objects, "delete_all", failing)
        for one in (first, kept):
            asked = await deletions.ask(one.id, "x", CHAIR)
            with pytest.raises(StorageFailed):
                await deletions.confirm(one.id, asked.id, AUDITOR)
            assert (await one.recordings.get(one.id)).deleted_at is not None
            with pytest.raises(RecordingKept, match="already"):
                await deletions.ask(one.id, "again", CHAIR)
        asked = await deletions.ask(last.id, "x", CHAIR)
        with monkeypatch.context() as killed:
            killed.setattr(Deletions, "_destroy", lambda *_: _nothing())
            await deletions.confirm(last.id, asked.id, AUDITOR)
        assert await deletions.resume() == 1, "one that cannot be finished keeps no other"
    running = asyncio.create_task(deletions.run())
    try:
        await until(lambda: not (first.folder.exists() or kept.folder.exists()), 10)
    finally:
        running.cancel()
    assert await deletions.resume() in (0, 1)
    for one in (first, kept, last):
        assert [deletion.certificate is not None for deletion in await deletions.of(one.id)] == [True]


async def _nothing() -> None:
    """As a process that was killed."""


async def test_objects_are_destroyed_with_it(
    database: Database, vault: Vault, root: Path, tmp_path: Path
) -> None:
    share = tmp_path / "share"
    share.mkdir()
    objects = Objects.open(Storage(url=f"file://{share}"))
    assert objects is not None
    kept, other = await keep(database, vault, root), await keep(database, vault, root)
    await Offload(database, kept.recordings, objects, (root,)).step()
    deletions = Deletions(database, vault, AuditTrail(database, vault), (root,), objects)
    asked = await deletions.ask(kept.id, "x", CHAIR)
    await deletions.confirm(kept.id, asked.id, AUDITOR)
    left = [path for path in share.rglob("*") if path.is_file()]
    assert left
    assert all(other.id in path.parts for path in left)


async def test_an_upload_on_its_way_leaves_nothing_behind(
    database: Database, vault: Vault, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was on its way when the deletion was confirmed, and the key that follows every segment."""
    share = tmp_path / "share"
    share.mkdir()
    objects = Objects.open(Storage(url=f"file://{share}"))
    assert objects is not None
    kept = await keep(database, vault, root)
    offload = Offload(database, kept.recordings, objects, (root,))
    deletions = Deletions(database, vault, AuditTrail(database, vault), (root,), objects)
    asked = await deletions.ask(kept.id, "x", CHAIR)
    begun, released = threading.Event(), threading.Event()
    put = obstore.put

    def slow_put(*arguments: Any) -> Any:
        begun.set()
        assert released.wait(30)
        return put(*arguments)

    monkeypatch.setattr(obstore, "put", slow_put)
    moving = asyncio.create_task(offload.step())
    await asyncio.to_thread(begun.wait, 30)
    confirming = asyncio.create_task(deletions.confirm(kept.id, asked.id, AUDITOR))
    await until(lambda: not (kept.folder / "key").exists(), 30, "the key's end")
    assert not confirming.done(), "no certificate while something is on its way"
    assert await offload.step() == 0, "nothing more is begun"
    released.set()
    assert (await confirming).certificate is not None
    await moving
    assert [path for path in share.rglob("*") if path.is_file()] == []
    assert not kept.folder.exists()
