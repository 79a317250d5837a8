"""The picture that a camera showed at a moment, or why there is none."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.frame import VideoFrame

from mediaserver.recording.reader import Recording, Segment, Track
from mediaserver.review.segment_file import open_segment

Picture: TypeAlias = npt.NDArray[np.uint8]
"""Height x width x 3, BGR."""

SEAM_SECONDS = 0.5
"""Between two segments a picture stands this long; longer is a gap, and a gap must not look live (H-01)."""


@dataclass(frozen=True, slots=True)
class Missing:
    """No picture: ``reason`` as the recorder said it, or ``not_recorded``."""

    reason: str
    start_seconds: float
    end_seconds: float


@dataclass(frozen=True, slots=True)
class _Timed:
    seconds: float
    frame: VideoFrame


def gap_at(segments: Sequence[Segment], seconds: float, end_seconds: float) -> Missing | None:
    """The gap that a moment lies in: one that a segment marks, or the space between segments."""
    for segment in segments:
        for start, end, reason in segment.gaps:
            if start <= seconds < end:
                return Missing(reason, start, end)
    before = [segment for segment in segments if segment.start_seconds <= seconds]
    after = [segment.start_seconds for segment in segments if segment.start_seconds > seconds]
    shown_until = max((segment.start_seconds + segment.duration_seconds for segment in before), default=0.0)
    following = min(after, default=end_seconds)
    seam = SEAM_SECONDS if before else 0.0
    if seconds >= shown_until and not (seconds < shown_until + seam and following <= shown_until + seam):
        return Missing("not_recorded", shown_until, following)
    return None


class TrackPictures:
    """One camera, asked for moments that never go back. Decodes forwards and holds one segment open."""

    def __init__(self, recording: Recording, track: Track, start_seconds: float, end_seconds: float) -> None:
        self._recording = recording
        self._segments = sorted(recording.segments(track), key=lambda segment: segment.start_seconds)
        self._end_seconds = end_seconds
        self._frames = self._decode(start_seconds)
        self._shown: _Timed | None = None
        self._next: _Timed | None = next(self._frames, None)
        self._picture: tuple[float, Picture] | None = None

    def at(self, seconds: float) -> Picture | Missing:
        """What stood on the screen: the newest frame not younger than this moment."""
        while self._next is not None and self._next.seconds <= seconds:
            self._shown = self._next
            self._next = next(self._frames, None)
        gap = gap_at(self._segments, seconds, self._end_seconds)
        if gap is not None:
            return gap
        if self._shown is None:
            # A segment's first frame may stand a little behind the segment's start.
            following = self._end_seconds if self._next is None else self._next.seconds
            return Missing("not_recorded", seconds, following)
        return self._converted(self._shown)

    def close(self) -> None:
        """Closes the open segment. Idempotent."""
        self._frames.close()  # type: ignore[attr-defined] # a generator

    def _converted(self, timed: _Timed) -> Picture:
        if self._picture is None or self._picture[0] != timed.seconds:
            array = timed.frame.to_ndarray(format="bgr24")
            self._picture = (timed.seconds, np.ascontiguousarray(array, dtype=np.uint8))
        return self._picture[1]

    def _decode(self, start_seconds: float) -> Iterator[_Timed]:
        starts = [segment.start_seconds for segment in self._segments]
        first = max(bisect_right(starts, start_seconds) - 1, 0)
        for segment in self._segments[first:]:
            if segment.start_seconds >= self._end_seconds:
                return
            with av.open(open_segment(self._recording, segment), mode="r") as container:
                yield from _frames(container, segment, start_seconds)


def _frames(container: InputContainer, segment: Segment, start_seconds: float) -> Iterator[_Timed]:
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    within = start_seconds - segment.start_seconds
    if within > 0 and stream.time_base is not None:
        container.seek(int(within / stream.time_base), stream=stream)
    for frame in container.decode(stream):
        if frame.time is not None:
            yield _Timed(segment.start_seconds + frame.time, frame)
