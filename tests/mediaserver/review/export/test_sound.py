"""Voices are where they were, add up without clipping, and are not heard twice."""

from __future__ import annotations

import numpy as np
import pytest

from mediaserver.recording.reader import Recording
from mediaserver.review.export import sound
from mediaserver.review.export.sound import SAMPLES_PER_SECOND, TrackSound, mix
from tests.mediaserver.review.recorded import theatre


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return theatre(tmp_path_factory.mktemp("recordings"))


def heard(recording: Recording, start: float, end: float, copies: int = 1) -> np.ndarray:
    tracks = [TrackSound(recording, recording.tracks[2], start, end) for _ in range(copies)]
    first, last = round(start * SAMPLES_PER_SECOND), round(end * SAMPLES_PER_SECOND)
    blocks = [mix(tracks, at, 1024) for at in range(first, last, 1024)]
    for track in tracks:
        track.close()
    return np.concatenate(blocks)[:, 0]


@pytest.mark.parametrize("start", [0.0, 1.5, 3.3])
def test_a_voice_is_where_it_was(recording: Recording, start: float) -> None:
    samples = heard(recording, start, 8.0)
    loud = np.abs(samples) > 0.1
    at = (
        np.argmax(loud) / SAMPLES_PER_SECOND + start,
        (len(loud) - np.argmax(loud[::-1])) / SAMPLES_PER_SECOND + start,
    )
    assert at[0] == pytest.approx(max(2.0, start), abs=0.05)
    assert at[1] == pytest.approx(6.0, abs=0.05)
    inside = samples[round((max(2.5, start + 0.1) - start) * SAMPLES_PER_SECOND) :][:SAMPLES_PER_SECOND]
    crossings = np.count_nonzero(np.diff(np.signbit(inside)))
    assert crossings == pytest.approx(880, abs=12), "440 Hz, without a seam"


def test_many_loud_voices_do_not_clip(recording: Recording) -> None:
    samples = heard(recording, 2.5, 3.5, copies=6)
    assert 0.85 < np.abs(samples).max() <= 1.0


def test_nothing_sounds_where_nobody_spoke() -> None:
    assert not mix([], 0, 1024).any()
    assert mix([], 0, 7).shape == (7, sound.CHANNELS)
