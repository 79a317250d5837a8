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
    database: Database, vault: Vault, tmp_path: Path, objects: Objects
) -> None:
    kept = await keep(database, vault, tmp_path / "data" / "recordings")
    content = bytearray(kept.segment(1).read_bytes())
    content[-1] ^= 1  # the disk, or the way there, flips a bit
    kept.segment(1).write_bytes(content)
    offload = Offload(database, kept.recordings, objects, (kept.folder.parent,))
    with pytest.raises(StorageFailed, match="read back"):
        await offload.step()
    assert kept.segment(1).exists()
    assert {one.location for one in await kept.recordings.segments(kept.id)} == {"local"}


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
