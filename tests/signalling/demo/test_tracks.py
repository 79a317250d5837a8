"""Tracks are paced by the clock and number their frames."""

from __future__ import annotations

import itertools

import numpy as np

from signalling.demo.marks import Mark, Picture, draw, read
from signalling.demo.tracks import DrawnTrack, VoiceTrack


async def test_a_drawn_track_gives_marked_frames_in_steps_of_its_rate() -> None:
    drawn: list[float] = []

    def picture(seconds: float, mark: Mark) -> Picture:
        drawn.append(seconds)
        canvas = np.full((360, 640, 3), 90, np.uint8)
        draw(canvas, mark)
        return canvas

    track = DrawnTrack(picture, frames_per_second=100)
    frames = [await track.recv() for _ in range(4)]
    track.stop()
    times = [frame.pts for frame in frames if frame.pts is not None]
    assert len(times) == 4
    steps = [second - first for first, second in itertools.pairwise(times)]
    assert all(step > 0 and step % 900 == 0 for step in steps)
    marks = [read(frame.to_ndarray(format="gray").astype(np.uint8)) for frame in frames]
    numbers = [mark.frame for mark in marks if mark is not None]
    assert len(numbers) == 4
    assert numbers == [round(seconds * 100) for seconds in drawn]


async def test_the_voice_comes_in_packets_of_20_ms() -> None:
    track = VoiceTrack()
    frames = [await track.recv() for _ in range(3)]
    track.stop()
    assert {frame.samples for frame in frames} == {960}
    assert frames[0].sample_rate == 48_000
    first, second = (frame.pts for frame in frames[:2])
    assert first is not None
    assert second is not None
    assert second >= first + 960
