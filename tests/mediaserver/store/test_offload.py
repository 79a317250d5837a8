"""Offload: nothing is removed here before it was read back there, and a failing store loses nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import structlog.testing

from mediaserver.config import Storage
from mediaserver.store.database import Database
from mediaserver.store.objects import ObjectBytes, Objects, StorageFailed
from mediaserver.store.offload import Offload
from mediaserver.vault import ChunkReader, Vault
from tests.mediaserver.store.kept import PLAIN, TRACK, keep


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    (tmp_path / "share").mkdir()
    opened = Objects.open(Storage(url=f"file://{tmp_path / 'share'}"))
    assert opened is not None
    return opened


async def test_segments_move_with_all_they_need(
    database: Database, vault: Vault, tmp_path: Path, objects: Objects
) -> None:
    kept = await keep(database, vault, tmp_path / "data" / "recordings")
    offload = Offload(database, kept.recordings, objects, (kept.folder.parent,))
    assert await offload.step() == 2
    assert await offload.step() == 0
    assert not kept.segment(1).exists()
    assert (kept.folder / "key").exists(), "the key and the manifest stay here, too"
    assert {one.location for one in await kept.recordings.segments(kept.id)} == {"object"}
    where = f"recordings/{kept.id}"
    unwrapped = vault.unwrap(
        objects.read(f"{where}/key", 0, objects.size(f"{where}/key")), f"recording/{kept.id}"
    )
    source = ObjectBytes.open(objects, f"{where}/segments/{TRACK}/000002.webm.enc")
    assert ChunkReader(source, unwrapped, "2").read(0, len(PLAIN)) == PLAIN
    assert objects.size(f"{where}/manifest") == 100
    assert offload.counts["moved"] == 2


async def test_what_cannot_be_read_back_stays_here(
    database: Database, vault: Vault, tmp_path: Path, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = await keep(database, vault, tmp_path / "data" / "recordings")
    offload = Offload(database, kept.recordings, objects, (kept.folder.parent,))
    monkeypatch.setattr(Objects, "sha256", lambda *_: b"another")  # the store, or the way there, flips a bit
    with pytest.raises(StorageFailed, match="read back"):
        await offload.step()
    assert kept.segment(1).exists()
    assert {one.location for one in await kept.recordings.segments(kept.id)} == {"local"}


async def test_a_segment_that_is_damaged_here_is_told_and_holds_up_no_other(
    database: Database, vault: Vault, tmp_path: Path, objects: Objects
) -> None:
    kept = await keep(database, vault, tmp_path / "data" / "recordings")
    content = bytearray(kept.segment(1).read_bytes())
    content[-1] ^= 1
    kept.segment(1).write_bytes(content)
    offload = Offload(database, kept.recordings, objects, (kept.folder.parent,))
    with structlog.testing.capture_logs() as lines:
        assert [await offload.step() for _ in range(3)] == [1, 0, 0]
    assert [(line["what"], line["number"]) for line in lines] == [("damaged", 1)]
    assert (offload.counts["damaged"], offload.counts["moved"]) == (1, 1)
    assert kept.segment(1).read_bytes() == bytes(content), "as it is, for whoever looks into it"
    assert {one.number: one.location for one in await kept.recordings.segments(kept.id)} == {
        1: "local", 2: "object",
    }  # fmt: skip


async def test_a_file_that_cannot_be_read_holds_up_no_other(
    database: Database, vault: Vault, tmp_path: Path, objects: Objects
) -> None:
    kept = await keep(database, vault, tmp_path / "data" / "recordings")
    kept.segment(1).unlink()
    kept.segment(1).mkdir()  # reading it is an OSError
    offload = Offload(database, kept.recordings, objects, (kept.folder.parent,))
    assert await offload.step() == 1
    with pytest.raises(IsADirectoryError):
        await offload.step()


async def test_what_a_crash_left_behind_of_what_was_moved_goes_at_the_next_start(
    database: Database, vault: Vault, tmp_path: Path, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = await keep(database, vault, tmp_path / "data" / "recordings")
    offload = Offload(database, kept.recordings, objects, (kept.folder.parent,))
    with monkeypatch.context() as patch:

        def killed(*_: object) -> None:
            raise KeyError

        patch.setattr(Path, "unlink", killed)
        with pytest.raises(KeyError):
            await offload.step()
    assert kept.segment(1).exists()
    assert await offload.step() == 1, "the other"
    again = Offload(database, kept.recordings, objects, (kept.folder.parent,))
    with monkeypatch.context() as patch:
        patch.setattr(Objects, "sha256", lambda *_: b"another")
        await again.sweep()
    assert kept.segment(1).exists(), "not before the store is asked"
    await again.sweep()
    assert not kept.segment(1).exists()


async def test_what_comes_behind_the_last_segment_follows_it_once(
    database: Database, vault: Vault, tmp_path: Path, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = await keep(database, vault, tmp_path / "data" / "recordings")
    offload = Offload(database, kept.recordings, objects, (kept.folder.parent,))
    await offload.step()
    with (kept.folder / "manifest").open("ab") as stream:
        stream.write(b"the end")
    (kept.folder / "reception.enc").write_bytes(b"what each viewer got")
    await offload.follow()
    where = f"recordings/{kept.id}"
    assert objects.size(f"{where}/manifest") == 107
    assert objects.read(f"{where}/reception.enc", 0, 99) == b"what each viewer got"
    puts: list[str] = []
    monkeypatch.setattr(Objects, "put", lambda _, key, *__: puts.append(key))
    await offload.follow()
    await Offload(database, kept.recordings, objects, (kept.folder.parent,)).follow()
    assert puts == [], "also after a restart"


async def test_a_disk_that_fails_is_counted_and_tried_again(
    database: Database, vault: Vault, tmp_path: Path, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mediaserver.store.offload.RETRY_SECONDS", 0.0)
    kept = await keep(database, vault, tmp_path / "data" / "recordings")
    manifest = kept.folder / "manifest"
    content = manifest.read_bytes()
    manifest.unlink()
    manifest.mkdir()  # reading it is an OSError
    offload = Offload(database, kept.recordings, objects, (kept.folder.parent,))
    running = asyncio.create_task(offload.run())
    try:
        async with asyncio.timeout(10):
            with structlog.testing.capture_logs() as lines:
                while offload.counts["failed"] < 2:  # noqa: ASYNC110 - nothing tells of it
                    await asyncio.sleep(0.01)
            assert {line["reason"] for line in lines} == {"IsADirectoryError"}
            assert kept.segment(1).exists()
            manifest.rmdir()
            manifest.write_bytes(content)
            while offload.counts["moved"] < 2:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)
        assert not running.done()
    finally:
        running.cancel()


async def test_a_missing_file_does_not_hold_up_the_others(
    database: Database, vault: Vault, tmp_path: Path, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mediaserver.store.offload.BATCH", 1)
    kept = await keep(database, vault, tmp_path / "data" / "recordings", segments=3)
    kept.segment(1).unlink()
    offload = Offload(database, kept.recordings, objects, (kept.folder.parent,))
    assert [await offload.step() for _ in range(4)] == [0, 1, 1, 0]
    assert offload.counts["missing"] == 1
