"""The picture of a moment, from any start, and where there is none."""

from __future__ import annotations

import pytest

from mediaserver.recording.reader import Recording
from mediaserver.review.export.pictures import Missing, TrackPictures, gap_at
from tests.mediaserver.review.recorded import level, theatre


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return theatre(tmp_path_factory.mktemp("recordings"))


@pytest.mark.parametrize("start", [0.0, 1.23, 2.95, 5.0, 7.5])
def test_wherever_it_begins_it_shows_what_was_then(recording: Recording, start: float) -> None:
    pictures = TrackPictures(recording, recording.tracks[0], start, 8.0)
    shown = pictures.at(start)
    assert not isinstance(shown, Missing)
    # The frame that had begun by then: 10 a second.
    assert shown[120, 160].mean() == pytest.approx(level(int(start * 10 + 1e-6) / 10), abs=6)
    pictures.close()


def test_gaps(recording: Recording) -> None:
    scope = recording.segments(recording.tracks[0])
    assert gap_at(scope, 4.0, 8.0) == Missing("muted", 3.0, 5.0)
    assert gap_at(scope, 6.2, 8.0) == Missing("lost", 6.0, 6.5)
    assert gap_at(scope, 7.0, 8.0) is None
    late = recording.segments(recording.tracks[1])
    assert gap_at(late, 0.5, 8.0) == Missing("not_recorded", 0.0, 1.0)
    assert gap_at(late, 60.0, 90.0) == Missing("not_recorded", 8.0, 90.0)
    assert gap_at([], 1.0, 8.0) == Missing("not_recorded", 0.0, 8.0)


def test_a_seam_between_segments_is_no_gap(recording: Recording) -> None:
    from dataclasses import replace

    first = recording.segments(recording.tracks[1])[0]
    second = replace(first, number=1, start_seconds=8.2, gaps=())
    assert gap_at([first, second], 8.1, 20.0) is None
    assert gap_at([first, replace(second, start_seconds=8.9)], 8.1, 20.0) == Missing("not_recorded", 8.0, 8.9)
