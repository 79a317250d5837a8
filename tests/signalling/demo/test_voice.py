"""The synthetic voice has syllables, pauses and no clicks between its parts."""

from __future__ import annotations

import numpy as np

from signalling.demo.voice import SAMPLE_RATE, Voice


def test_speaks_and_pauses_like_speech() -> None:
    sound = Voice().samples(4 * SAMPLE_RATE).astype(np.float64)
    loudness = np.sqrt(np.mean(sound.reshape(-1, 960) ** 2, axis=1))
    assert loudness.max() > 1000
    pauses = np.mean(loudness < 10)
    assert 0.1 < pauses < 0.5


def test_parts_join_without_a_seam() -> None:
    whole = Voice().samples(4800)
    voice = Voice()
    assert np.array_equal(whole, np.concatenate([voice.samples(960) for _ in range(5)]))
