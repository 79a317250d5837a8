"""All microphones of a recording as one sound, each at its place on the recording's axis."""

from __future__ import annotations

from collections.abc import Iterator

import av
import numpy as np
import numpy.typing as npt
from av.audio.resampler import AudioResampler

from mediaserver.recording.reader import Recording, Segment, Track
from mediaserver.review.segment_file import open_segment

SAMPLES_PER_SECOND = 48_000
CHANNELS = 1
"""Microphones in a room: their places in it are not known, so there is no left and right."""
TOLERANCE_SAMPLES = SAMPLES_PER_SECOND * 20 // 1000
"""A frame may be this far from where the one before ended and still follows it without a seam:
time stamps jitter, and every seam is a click."""
KNEE = 0.8
"""Above it the sum of loud voices is bent, not cut."""

Samples = npt.NDArray[np.float32]
"""Count x channels, nominally -1 to 1."""


class TrackSound:
    """One microphone, asked for stretches that follow one another."""

    def __init__(self, recording: Recording, track: Track, start_seconds: float, end_seconds: float) -> None:
        self._frames = _decode(recording, track, start_seconds, end_seconds)
        self._next: tuple[int, Samples] | None = next(self._frames, None)

    def add_to(self, mixed: Samples, start: int) -> None:
        """Adds what sounds from sample ``start`` of the axis on."""
        end = start + len(mixed)
        while self._next is not None:
            at, samples = self._next
            first, last = max(at, start), min(at + len(samples), end)
            if first < last:
                mixed[first - start : last - start] += samples[first - at : last - at]
            if at + len(samples) > end:
                return
            self._next = next(self._frames, None)

    def close(self) -> None:
        """Closes the open segment. Idempotent."""
        self._frames.close()  # type: ignore[attr-defined] # a generator


def mix(tracks: list[TrackSound], start: int, count: int) -> Samples:
    """``count`` samples of all of them from sample ``start`` of the axis on."""
    mixed = np.zeros((count, CHANNELS), np.float32)
    for track in tracks:
        track.add_to(mixed, start)
    loud = np.abs(mixed) > KNEE
    if loud.any():
        over = np.abs(mixed[loud]) - KNEE
        mixed[loud] = np.sign(mixed[loud]) * (KNEE + (1 - KNEE) * np.tanh(over / (1 - KNEE)))
    return mixed


def _decode(
    recording: Recording, track: Track, start_seconds: float, end_seconds: float
) -> Iterator[tuple[int, Samples]]:
    follows = -1
    for segment in sorted(recording.segments(track), key=lambda segment: segment.start_seconds):
        if segment.start_seconds + segment.duration_seconds < start_seconds:
            continue
        if segment.start_seconds >= end_seconds:
            return
        for seconds, samples in _segment(recording, segment, start_seconds):
            at = round(seconds * SAMPLES_PER_SECOND)
            if abs(at - follows) <= TOLERANCE_SAMPLES:
                at = follows
            elif at < follows:
                samples = samples[follows - at :]  # noqa: PLW2901 - what sounded already sounds once
                at = follows
            follows = at + len(samples)
            yield at, samples


def _segment(recording: Recording, segment: Segment, start_seconds: float) -> Iterator[tuple[float, Samples]]:
    with av.open(open_segment(recording, segment), mode="r") as container:
        stream = container.streams.audio[0]
        within = start_seconds - segment.start_seconds
        if within > 0 and stream.time_base is not None:
            container.seek(int(within / stream.time_base), stream=stream)
        resampler = AudioResampler(format="flt", layout="mono", rate=SAMPLES_PER_SECOND)
        for frame in container.decode(stream):
            for resampled in resampler.resample(frame):
                if resampled.time is not None:
                    samples = resampled.to_ndarray().reshape(-1, CHANNELS)
                    yield segment.start_seconds + resampled.time, samples.astype(np.float32, copy=False)
