"""A track's round takes some minutes at a time, and says what it could make nothing of."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from mediaserver.ids import TrackId
from mediaserver.recording import journals, track_round
from mediaserver.recording.journal import read_journal
from mediaserver.recording.manifest import verify
from tests.recorded import Shelf, Source, encoded

SECONDS = 20
"""Of a journal."""


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    made = Shelf(tmp_path)
    made.track("t1")
    return made


def named(shelf: Shelf, folder: str) -> list[str]:
    return sorted(path.name for path in shelf.folder.path.glob(f"{folder}/*"))


def told(shelf: Shelf) -> list[dict[str, Any]]:
    return [line for line in shelf.manifest.lines() if line["type"] == "event"]


def good(source: Source, start: float, seconds: int, step: float = 0.5) -> list[bytes]:
    """With a key frame every ten seconds."""
    units = encoded("VP8", round(10 / step), every=1_000)
    return [record for at in range(0, seconds, 10) for record in source.stream(units, start + at, step=step)]


def bad(source: Source, start: float, seconds: int, step: float = 0.5) -> list[bytes]:
    """Of pictures whose first packet never came: none can be put together."""
    records = []
    for index in range(round(seconds / step)):
        first, *rest = source.picture(start + index * step, bytes(1_500), index)
        del first
        records += rest
    return records


def test_what_comes_to_nothing_at_the_end_is_told_and_kept(shelf: Shelf) -> None:
    source = Source()
    shelf.journal("t1", [source.begin(), *good(source, 0, SECONDS)])
    shelf.journal("t1", bad(source, SECONDS, SECONDS), number=1)
    outcome = shelf.seal(state="sealed")
    assert [line["pictures"] for line in outcome.segments] == [40]
    (event,) = told(shelf)
    assert (event["name"], event["track"], event["reason"]) == ("unsealable", "t1", "lost")
    assert (event["at"], event["until"]) == pytest.approx((19.5, 39.5), abs=0.1)
    assert (named(shelf, "journal"), named(shelf, "kept")) == ([], ["t1.1.journal"])
    assert (outcome.unsealable, verify(shelf.folder, shelf.vault).closed) == (1, True)


def test_a_track_without_any_key_frame_is_told_and_kept(shelf: Shelf) -> None:
    source = Source()
    units = encoded("VP8", 40, every=1_000)[1:]
    shelf.journal("t1", [source.begin(), *source.stream(units, step=0.5)])
    assert shelf.seal(state="sealed").segments == []
    assert [event["reason"] for event in told(shelf)] == ["no_keyframe"]
    assert named(shelf, "kept") == ["t1.0.journal"]


def test_a_hole_in_the_midst_is_a_gap_and_its_journals_are_kept(shelf: Shelf) -> None:
    source = Source()
    shelf.journal("t1", [source.begin(), *good(source, 0, SECONDS, step=0.25)])
    shelf.journal("t1", bad(source, SECONDS, SECONDS), number=1)
    shelf.journal("t1", good(source, 2 * SECONDS, SECONDS, step=0.25), number=2)
    lines = shelf.seal(state="sealed").segments
    assert [gap for line in lines for gap in line["gaps"]] == [
        [pytest.approx(19.75, abs=0.1), pytest.approx(40.0, abs=0.1), "lost"]
    ]
    assert named(shelf, "kept") == ["t1.1.journal"]


def test_what_ends_within_a_picture_is_no_more_than_a_kill_costs(shelf: Shelf) -> None:
    source = Source()
    shelf.journal("t1", [source.begin(), *good(source, 0, SECONDS), *bad(source, SECONDS, 1, step=1)])
    assert shelf.seal(state="sealed").unsealable == 1
    again = Shelf(shelf.root.with_name("again"))
    again.track("t1")
    source = Source()
    again.journal("t1", [source.begin(), *good(source, 0, SECONDS), *bad(source, 19.7, 1, step=1)])
    assert again.seal(state="sealed").unsealable == 0


def test_rounds_do_not_read_for_ever_what_comes_to_nothing(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source()
    read: list[str] = []
    really = read_journal

    def counted(path: Path, key: Any) -> Any:
        read.append(path.name)
        return really(path, key)

    monkeypatch.setattr("mediaserver.recording.journals.read_journal", counted)
    most = 0
    for minute in range(12):
        for third in range(3):
            number = 3 * minute + third
            begin = [source.begin()] if number == 0 else []
            shelf.journal("t1", [*begin, *bad(source, SECONDS * number, SECONDS)], number=number)
        read.clear()
        shelf.seal(now=60.0 * (minute + 1))
        most = max(most, len(read))
    assert most < 25, "less than was written, and no more later on"
    assert len(told(shelf)) == 2, "five minutes each"
    shelf.journal("t1", good(source, 720, SECONDS), number=36)
    (segment,) = shelf.seal(state="sealed").segments
    assert segment["start"] == pytest.approx(720, abs=0.1), "its clock is known from those set apart"
    assert len(named(shelf, "kept")) == 36


def test_long_backlogs_are_sealed_some_minutes_at_a_time(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(track_round, "PASS_SECONDS", 120.0)
    held: list[float] = []
    really = track_round.TrackRound._pass

    def measured(this: Any, reading: journals.Reading) -> bool:
        firsts = [file.first for file in reading.files if file.first is not None]
        held.append(reading.capture.newest - min(firsts))
        return really(this, reading)

    monkeypatch.setattr(track_round.TrackRound, "_pass", measured)
    source = Source()
    for number in range(30):
        begin = [source.begin()] if number == 0 else []
        shelf.journal("t1", [*begin, *good(source, SECONDS * number, SECONDS, step=0.25)], number=number)
    lines = shelf.seal(state="sealed").segments
    assert max(held) < 200
    assert sum(line["pictures"] for line in lines) == 2_400
    for before, after in pairwise(lines):
        assert after["start"] == pytest.approx(before["start"] + before["duration"], abs=0.05)
    assert not any(line["gaps"] for line in lines)
    assert not shelf.folder.journals().get(TrackId("t1"))
    assert named(shelf, "kept") == []


def test_silence_longer_than_a_pass_does_not_stop_it(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(track_round, "PASS_SECONDS", 60.0)
    source = Source()
    for number, start in enumerate((0, 20, 900, 920, 2_000)):
        begin = [source.begin()] if number == 0 else []
        shelf.journal("t1", [*begin, *good(source, start, SECONDS)], number=number)
    assert sum(line["pictures"] for line in shelf.seal(state="sealed").segments) == 200
    assert not shelf.folder.journals()
