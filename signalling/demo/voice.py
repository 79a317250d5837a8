"""A voice-like sound: syllables of a glottal tone through two formants, with pauses, made by numpy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SAMPLE_RATE = 48_000
"""Samples a second, the clock of Opus."""

_FORMANTS = ((730, 1090), (270, 2290), (300, 870), (530, 1840), (660, 1720))
"""First and second formant of five vowels, in Hz."""


class Voice:
    """Gives the next samples; the same every time it is made."""

    def __init__(self) -> None:
        self._position = 0

    def samples(self, count: int) -> npt.NDArray[np.int16]:
        """The next ``count`` samples, shape (count,), mono."""
        time = (self._position + np.arange(count)) / SAMPLE_RATE
        self._position += count
        syllable = np.floor(time * 4).astype(np.int64)
        # Every seventh and eighth syllable is a pause.
        voiced = np.where(syllable % 8 < 6, 1.0, 0.0)
        envelope = voiced * np.sin(np.pi * (time * 4 % 1.0)) ** 0.7
        pitch = 120 + 15 * np.sin(2 * np.pi * 0.7 * time)
        first = np.array([pair[0] for pair in _FORMANTS])[syllable % len(_FORMANTS)]
        second = np.array([pair[1] for pair in _FORMANTS])[syllable % len(_FORMANTS)]
        sound = np.zeros(count)
        for harmonic in range(1, 20):
            frequency = pitch * harmonic
            gain = np.exp(-(((frequency - first) / 130) ** 2)) + 0.6 * np.exp(
                -(((frequency - second) / 200) ** 2)
            )
            sound += (gain + 0.03) / harmonic**0.4 * np.sin(2 * np.pi * 120 * harmonic * time)
        return np.asarray(np.clip(sound * envelope * 9_000, -32_000, 32_000), np.int16)
