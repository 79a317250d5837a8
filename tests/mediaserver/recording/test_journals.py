"""Journals of a track: read in order, some seconds at a time, and set apart under their names."""

from __future__ import annotations

from pathlib import Path

from mediaserver.ids import TrackId
from mediaserver.recording.journal import read_journal
from mediaserver.recording.journals import Reading, keep, keep_all, without_track
from mediaserver.recording.streams import Capture
from tests.recorded import START_MICROS, Shelf, Source, encoded

TRACK = TrackId("t1")


def filled(folder: Path) -> Shelf:
    """Three journals of two seconds each."""
    shelf = Shelf(folder)
    shelf.track(TRACK)
    source = Source()
    for number in range(3):
        begin = [source.begin()] if number == 0 else []
        records = source.stream(encoded("VP8", 20), 2.0 * number, step=0.1)
        shelf.journal(TRACK, [*begin, *records], number=number)
    return shelf


def reading(shelf: Shelf, since: float | None, seconds: float) -> Reading:
    capture = Capture(90_000, START_MICROS, sound=False)
    made = Reading(shelf.folder, shelf.key, TRACK, lambda *_: None, capture)
    made.read(since, seconds)
    return made


def test_reading_stops_where_enough_is_in_memory(tmp_path: Path) -> None:
    shelf = filled(tmp_path)
    found = reading(shelf, None, 3.0)
    assert ([file.path.name for file in found.files], found.whole) == (
        ["t1.0.journal", "t1.1.journal"],
        False,
    )
    found = reading(shelf, 3.0, 10.0)
    assert (len(found.files), found.whole) == (3, True)
    assert [round(file.first or 0.0, 2) for file in found.files] == [0.02, 2.02, 4.02]


def test_what_gave_nothing_is_kept_and_the_rest_goes(tmp_path: Path) -> None:
    shelf = filled(tmp_path)
    found = reading(shelf, None, 60.0)
    assert found.let_go(until=float("inf"), behind=float("inf"), gave=[0.12, 5.02], before=None)
    assert not shelf.folder.journals()
    assert [path.name for path in shelf.folder.path.glob("kept/*")] == ["t1.1.journal"]


def test_the_newest_stays_while_it_may_be_written_to(tmp_path: Path) -> None:
    shelf = filled(tmp_path)
    assert reading(shelf, None, 60.0).let_go(until=9.0, behind=9.0, gave=[0.12, 2.12], before=None)
    assert [number for number, _ in shelf.folder.journals()[TRACK]] == [2]


def test_what_is_set_apart_can_still_be_opened(tmp_path: Path) -> None:
    shelf = filled(tmp_path)
    (_, first), *_ = shelf.folder.journals()[TRACK]
    keep(first)
    apart = shelf.folder.path / "kept" / first.name
    assert read_journal(apart, shelf.key).records, "its name is part of its key"
    assert keep_all(shelf.folder, TRACK) == 2
    assert without_track(shelf.folder, []) == set()
    assert shelf.folder.next_number(TRACK) == 3, "no later one takes its place"


def test_journals_without_a_track_are_found(tmp_path: Path) -> None:
    shelf = filled(tmp_path)
    shelf.journal("t2", [b"x"])
    assert without_track(shelf.folder, shelf.manifest.lines()) == {"t2"}
