"""The library over folders and database: what a broken folder, another key or no procedure does to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from mediaserver import config
from mediaserver.errors import LimitReached
from mediaserver.ids import RecordingId
from mediaserver.review.errors import NothingToMark
from mediaserver.review.shelf import Shelf
from mediaserver.store import bookmarks as bookmarks_module
from mediaserver.store.bookmarks import UnknownBookmark
from mediaserver.store.library import Query
from mediaserver.store.store import Store
from mediaserver.vault import Vault, make_master_key
from tests.mediaserver.review.recorded import STARTED_AT, theatre
from tests.signalling.reviewing import add_procedure

EVERYTHING = Query(room=None)


@dataclass
class Kept:
    shelf: Shelf
    store: Store
    vault: Vault
    root: Path


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    make_master_key(tmp_path / "master.key")
    given = {"data": {"folder": tmp_path / "data"}, "recording": {"master_key_file": tmp_path / "master.key"}}
    store = Store.open(config.load(given, None))
    assert store.vault is not None
    root = tmp_path / "data" / "recordings"
    yield Kept(
        Shelf(root, store.vault, store.database, store.procedures, store.bookmarks), store, store.vault, root
    )
    store.database.close()


async def add(kept: Kept, id: str, room: str = "7QK2", title: str = "Cắt túi mật") -> None:
    await kept.store.database.write(
        lambda connection: add_procedure(connection, kept.vault, id, room, title, ["Lê Hồng"])
    )


async def test_newest_first_and_by_the_theatres_own_day(kept: Kept) -> None:
    late = datetime(2026, 3, 9, 17, 30, tzinfo=UTC)  # 00:30 on the 10th in the theatre
    theatre(kept.root, kept.vault, RecordingId("rEarly"))
    theatre(kept.root, kept.vault, RecordingId("rLate"), started_at=late)
    assert [one.id for one in await kept.shelf.search(EVERYTHING)] == ["rLate", "rEarly"]
    tenth = Query(room=None, first_day=date(2026, 3, 10))
    assert [one.id for one in await kept.shelf.search(tenth)] == ["rLate"]


async def test_a_recording_without_a_procedure_is_there_untitled(kept: Kept) -> None:
    theatre(kept.root, kept.vault, RecordingId("rLoose"))
    [entry] = await kept.shelf.search(EVERYTHING)
    assert (entry.title, entry.staff, entry.seconds) == ("", (), 8.0)


async def test_what_cannot_be_read_hides_nothing_else(kept: Kept) -> None:
    theatre(kept.root, kept.vault, RecordingId("rGood"))
    theatre(kept.root, Vault([bytes(range(1, 33))]), RecordingId("rForeign"))
    theatre(kept.root, kept.vault, RecordingId("rBroken"))
    (kept.root / "rBroken" / "manifest").write_text('{"type":"begin"}\n')
    assert [one.id for one in await kept.shelf.search(EVERYTHING)] == ["rGood"]
    for id in ("rForeign", "rBroken", "rNone", "../rGood", ""):
        assert await kept.shelf.entry(id) is None


async def test_bookmarks_of_one_procedure_fall_to_the_recordings_they_lie_in(kept: Kept) -> None:
    await add(kept, "p1")
    theatre(kept.root, kept.vault, RecordingId("rFirst"), procedure="p1")
    theatre(
        kept.root,
        kept.vault,
        RecordingId("rSecond"),
        procedure="p1",
        started_at=STARTED_AT + timedelta(hours=1),
    )
    first, second = await kept.shelf.entry("rFirst"), await kept.shelf.entry("rSecond")
    assert first is not None
    assert second is not None
    mark = await kept.shelf.mark(first, 2.5, "Kẹp", "u1")
    assert await kept.shelf.bookmarks(first) == [mark]
    assert await kept.shelf.bookmarks(second) == []
    theatre(kept.root, kept.vault, RecordingId("rOther"), procedure="p2")
    other = await kept.shelf.entry("rOther")
    assert other is not None
    with pytest.raises(UnknownBookmark):
        await kept.shelf.unmark(other, mark.id, "u1")
    await kept.shelf.unmark(first, mark.id, "u1")
    assert await kept.shelf.bookmarks(first) == []


async def test_there_is_an_end_to_bookmarks(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bookmarks_module, "MAX_BOOKMARKS", 2)
    await add(kept, "p1")
    await kept.shelf.mark_live("7QK2", "", "u1")
    await kept.shelf.mark_live("7QK2", "", "u1")
    with pytest.raises(LimitReached):
        await kept.shelf.mark_live("7QK2", "", "u1")


async def test_a_room_without_an_open_procedure_has_nothing_to_mark(kept: Kept) -> None:
    with pytest.raises(NothingToMark):
        await kept.shelf.mark_live("7QK2", "", "u1")


async def test_no_label_is_readable_in_the_data_folder(kept: Kept, tmp_path: Path) -> None:
    await add(kept, "p1")
    await kept.shelf.mark_live("7QK2", "Chảy máu động mạch", "u1")
    kept.store.database.close()
    content = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
    assert "Chảy máu".encode() not in content
    assert "Lê Hồng".encode() not in content
