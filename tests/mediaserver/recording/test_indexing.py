"""The index is filled from the folders: again and again without harm, and one bad folder hides no other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mediaserver.audit import Actor
from mediaserver.config import Retention
from mediaserver.ids import ProcedureId, RecordingId, RoomId
from mediaserver.recording.indexing import Indexing
from mediaserver.store.audit import AuditTrail
from mediaserver.store.database import Database
from mediaserver.store.procedures import Procedures
from mediaserver.store.recordings import Recordings
from mediaserver.store.schema import MIGRATIONS
from tests.recorded import Shelf, Source, encoded


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    made = Shelf(tmp_path)
    made.track("t1")
    picture = Source()
    made.journal("t1", [picture.begin(), *picture.stream(encoded("VP8", 60))])
    return made


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(tmp_path / "database" / "loupe.db", MIGRATIONS)
    yield opened
    opened.close()


@pytest.fixture
def index(shelf: Shelf, database: Database) -> Recordings:
    return Recordings(database, shelf.vault, AuditTrail(database, shelf.vault), Retention())


async def open_procedure(index: Recordings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that the recording belongs to."""
    monkeypatch.setattr("mediaserver.store.procedures.new_procedure_id", lambda: ProcedureId("p1"))
    procedures = Procedures(index.database, index.vault, index.audit)
    await procedures.open(RoomId("theatre"), "BN-1", "", (), Actor(id="me"))


async def test_what_was_sealed_is_known_and_looked_at_once(
    shelf: Shelf, index: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await open_procedure(index, monkeypatch)
    indexing = Indexing((shelf.folder.path.parent,), shelf.vault, index)
    assert await indexing.step() == 1
    assert (await index.get(shelf.folder.id)).state == "recording"
    shelf.seal(state="sealed")
    assert await indexing.step() == 1
    assert await indexing.step() == 0
    row = await index.get(shelf.folder.id)
    assert (row.state, row.room, row.procedure) == ("sealed", "theatre", "p1")
    assert row.ended_at is not None
    assert row.ended_at > row.started_at
    recording = shelf.open()
    [segment] = recording.segments(recording.tracks[0])
    [known] = await index.segments(shelf.folder.id)
    file = shelf.folder.segment(segment.track, segment.number, segment.suffix)
    assert (known.sha256.hex(), known.plain_bytes, known.location) == (segment.sha256, segment.size, "local")
    assert known.encrypted_bytes == file.stat().st_size == await index.used_bytes()


async def test_an_index_that_was_lost_is_made_anew_and_knows_what_has_moved(
    shelf: Shelf, index: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await open_procedure(index, monkeypatch)
    shelf.seal(state="sealed")
    recording = shelf.open()
    [segment] = recording.segments(recording.tracks[0])
    shelf.folder.segment(segment.track, segment.number, segment.suffix).unlink()
    assert await Indexing((shelf.folder.path.parent,), shelf.vault, index).step() == 1
    assert [one.location for one in await index.segments(shelf.folder.id)] == ["object"]
    await index.moved(shelf.folder.id, segment.track, segment.number, "object")
    assert await Indexing((shelf.folder.path.parent,), shelf.vault, index).step() == 1, "a second start"
    assert len(await index.segments(shelf.folder.id)) == 1


async def test_a_disk_that_fails_once_hides_a_recording_for_a_while_only(
    shelf: Shelf, index: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await open_procedure(index, monkeypatch)
    clock = [0.0]
    indexing = Indexing((shelf.folder.path.parent,), shelf.vault, index, lambda: clock[0])
    with monkeypatch.context() as patch:

        def stale(*_: object) -> None:
            raise OSError(116, "Stale file handle")

        patch.setattr("mediaserver.recording.indexing.Recording.open", stale)
        found = []
        for clock[0] in (0.0, 4.0, 6.0, 12.0, 17.0):
            found.append((await indexing.step(), indexing.unreadable, dict(indexing._retries)))
    asked = [when for _, _, retries in found for when, _ in retries.values()]
    assert asked == [5.0, 5.0, 16.0, 16.0, 37.0], "each time after twice as long"
    assert [(changed, unreadable) for changed, unreadable, _ in found] == [(0, 1)] * 5
    clock[0] = 37.0
    assert (await indexing.step(), indexing.unreadable) == (1, 0)
    assert await indexing.step() == 0


async def test_what_cannot_be_read_or_belongs_nowhere_is_counted(
    shelf: Shelf, index: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = shelf.folder.path.parent
    monkeypatch.setattr("mediaserver.store.procedures.new_procedure_id", lambda: ProcedureId("p1"))
    procedures = Procedures(index.database, index.vault, index.audit)
    await procedures.open(RoomId("another"), "BN-1", "", (), Actor(id="me"))
    indexing = Indexing((root,), shelf.vault, index)
    assert await indexing.step() == 0, "the procedure is another room's"
    assert indexing.unreadable == 1
    other = Shelf(root, shelf.vault, RecordingId("rother"), procedure="p2")
    assert other.folder.path.parent == root
    bad = root / "rbad"
    bad.mkdir()
    (bad / "key").write_bytes(b"x")
    (bad / "manifest").write_bytes(b"{}\n")
    again = Indexing((root,), shelf.vault, index)
    assert await again.step() == 1
    assert again.unreadable == 2
    assert (await again.step(), again.unreadable) == (0, 2), "as long as they lie there so"
    row = await index.get(other.folder.id)
    assert (row.procedure, row.room) == ("p2", "theatre"), "its procedure was lost, it is not"
    assert await index.of(ProcedureId("p2")) == [row]
