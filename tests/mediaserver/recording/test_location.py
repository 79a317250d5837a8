"""A location is asked through a thread of its own: one that hangs costs two seconds, once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mediaserver.recording import location as module
from mediaserver.recording.journal import Journal
from mediaserver.recording.location import Location, Locations, Stalled
from mediaserver.vault import DataKey


@pytest.fixture
def location(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Location]:
    monkeypatch.setattr(module, "STALL_SECONDS", 0.2)
    made = Location(tmp_path)
    yield made
    made.end()


def test_what_is_asked_is_done_or_raises_as_it_did(location: Location) -> None:
    assert location.do(lambda: 3) == 3
    with pytest.raises(OSError, match="full"):
        location.do(lambda: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(TimeoutError, match="its own"):
        location.do(lambda: (_ for _ in ()).throw(TimeoutError("its own")))
    assert not location.stalled


def test_who_asks_a_disk_that_hangs_is_told_and_the_next_at_once(location: Location) -> None:
    hangs, done = threading.Event(), threading.Event()

    def work() -> None:
        hangs.wait()
        done.set()

    with pytest.raises(Stalled):
        location.do(work)
    begun = time.monotonic()
    with pytest.raises(Stalled):
        location.do(lambda: 1)
    assert time.monotonic() - begun < 0.2, "nobody waits for it twice"
    hangs.set()
    assert done.wait(5.0), "what hung was done after all"
    while location.stalled:
        time.sleep(0.001)
    assert location.do(lambda: 1) == 1


def test_a_disk_that_does_not_sync_has_stalled(
    location: Location, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs = threading.Event()
    monkeypatch.setattr(module, "SYNC_SECONDS", 0.01)
    journal = Journal(tmp_path / "t1.0.journal", DataKey(bytes(32)))
    monkeypatch.setattr(Journal, "sync", lambda _: hangs.wait())
    location.syncer.watch(journal)
    deadline = time.monotonic() + 10
    while not location.stalled:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with pytest.raises(Stalled):
        location.do(lambda: 1)
    hangs.set()


def test_what_is_complete_is_synced_and_closed(location: Location, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "t1.0.journal", DataKey(bytes(32)))
    location.syncer.watch(journal)
    journal.append(b"x")
    location.syncer.sync()
    synced = [journal.unsynced]
    journal.append(b"y")
    location.syncer.close([journal])
    location.syncer.sync()
    synced.append(journal.unsynced)
    assert synced == [False, False]
    assert journal._descriptor == -1


def test_locations_are_used_in_order_and_end(tmp_path: Path) -> None:
    locations = Locations((tmp_path / "a", tmp_path / "b"))
    used = [locations.current.root.name]
    assert locations.next()
    used.append(locations.current.root.name)
    assert not locations.next()
    assert [*used, locations.current.root.name] == ["a", "b", "b"]
    locations.end()


def test_the_way_back_from_a_disk_that_failed_once(tmp_path: Path) -> None:
    locations = Locations((tmp_path / "a", tmp_path / "b"))
    (tmp_path / "b").mkdir()
    assert locations.next()
    assert not locations.back(0.0), "there is no folder to write to"
    (tmp_path / "a").mkdir()
    every = [locations.back(at) for at in (10.0, 40.0, 300.0, 340.0, 341.0)]
    assert every == [False, False, False, True, False]
    assert (locations.number, list((tmp_path / "a").iterdir())) == (0, [])
    locations.end()


def test_a_disk_that_fails_again_begins_anew_to_be_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locations = Locations((tmp_path / "a", tmp_path / "b"))
    for location in locations.all:
        location.root.mkdir()
    assert locations.next()
    assert not locations.back(0.0)
    with monkeypatch.context() as patch:
        patch.setattr(module, "has_room", lambda _: False)
        assert not locations.back(250.0)
    assert [locations.back(at) for at in (300.0, 500.0, 600.0)] == [False, False, True]
    locations.end()


def test_where_the_last_fails_an_earlier_one_that_answers_again_is_used_at_once(tmp_path: Path) -> None:
    locations = Locations((tmp_path / "a", tmp_path / "b"))
    (tmp_path / "a").mkdir()
    assert locations.next()
    assert not locations.next(), "nobody knows yet"
    assert not locations.back(0.0)
    assert [locations.next() for _ in range(3)] == [True, True, False]
    assert locations.number == 1, "and nothing goes round and round"
    locations.end()
