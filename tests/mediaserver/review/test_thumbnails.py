"""Thumbnails show the moment, are small, and show nothing where nothing was recorded."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from mediaserver.recording.reader import Recording
from mediaserver.review.thumbnails import WIDTH, thumbnail
from mediaserver.store.recordings import UnknownRecording
from tests.mediaserver.review.recorded import level, theatre


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return theatre(tmp_path_factory.mktemp("recordings"))


def test_a_thumbnail_is_a_small_picture_of_its_segment(recording: Recording) -> None:
    for track, seconds, first in ((recording.tracks[0], 5.2, 5.0), (recording.tracks[1], 1.3, 1.0)):
        picture = cv2.imdecode(
            np.frombuffer(thumbnail(recording, track, seconds), np.uint8), cv2.IMREAD_GRAYSCALE
        )
        assert picture is not None
        assert picture.shape[1] == WIDTH
        # The key frame at or before: the segment's first, for these short ones.
        assert picture.mean() == pytest.approx(level(first), abs=8)


@pytest.mark.parametrize("seconds", [4.0, 6.2, 8.5, 900.0])
def test_nothing_is_shown_for_a_gap(recording: Recording, seconds: float) -> None:
    with pytest.raises(UnknownRecording):
        thumbnail(recording, recording.tracks[0], seconds)


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    recording = theatre(tmp_path)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    thumbnail(recording, recording.tracks[0], 1.0)
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
