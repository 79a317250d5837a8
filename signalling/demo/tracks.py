"""Drawn pictures and made sounds as aiortc tracks, paced by the clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from fractions import Fraction

from aiortc.mediastreams import VIDEO_CLOCK_RATE, VIDEO_TIME_BASE, MediaStreamTrack
from av import AudioFrame, VideoFrame

from signalling.demo.marks import Mark, Picture
from signalling.demo.voice import SAMPLE_RATE, Voice

SOUND_SECONDS = Fraction(20, 1000)
"""One Opus packet."""


class _Pace:
    """Waits for the n-th tick of a steady clock; a late tick is not made up for."""

    def __init__(self, interval_seconds: float) -> None:
        self._interval = interval_seconds
        self._start: float | None = None
        self.tick = -1

    async def wait(self) -> None:
        now = time.monotonic()
        if self._start is None:
            self._start = now
        self.tick = max(self.tick + 1, int((now - self._start) / self._interval))
        await asyncio.sleep(self._start + self.tick * self._interval - now)


class DrawnTrack(MediaStreamTrack):
    """Pictures from ``draw(seconds since the start, mark)``."""

    kind = "video"

    def __init__(self, draw: Callable[[float, Mark], Picture], frames_per_second: int) -> None:
        super().__init__()
        self._draw = draw
        self._rate = frames_per_second
        self._pace = _Pace(1 / frames_per_second)

    async def recv(self) -> VideoFrame:
        """The next picture, when it is due."""
        await self._pace.wait()
        tick = self._pace.tick
        mark = Mark(tick, int(time.time() * 1000))
        picture = await asyncio.to_thread(self._draw, tick / self._rate, mark)
        frame = VideoFrame.from_ndarray(picture, format="bgr24")
        frame.pts = tick * VIDEO_CLOCK_RATE // self._rate
        frame.time_base = VIDEO_TIME_BASE
        return frame


class VoiceTrack(MediaStreamTrack):
    """The synthetic voice, 20 ms a frame."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._voice = Voice()
        self._pace = _Pace(float(SOUND_SECONDS))

    async def recv(self) -> AudioFrame:
        """The next 20 ms, when they are due."""
        await self._pace.wait()
        samples = int(SAMPLE_RATE * SOUND_SECONDS)
        frame = AudioFrame.from_ndarray(
            self._voice.samples(samples).reshape(1, -1), format="s16", layout="mono"
        )
        frame.sample_rate = SAMPLE_RATE
        frame.pts = self._pace.tick * samples
        frame.time_base = Fraction(1, SAMPLE_RATE)
        return frame
