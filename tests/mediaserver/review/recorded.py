"""A small recording with pictures whose content tells when they were taken, in the shape that review reads."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from hashlib import sha256
from typing import Any, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

Gap = tuple[float, float, str]


@dataclass(frozen=True)
class Segment:
    """Sealed media, here in clear."""

    number: int
    start_seconds: float
    duration_seconds: float
    media_type: str
    content: bytes
    gaps: Sequence[Gap] = ()

    @property
    def size(self) -> int:
        return len(self.content)

    @property
    def sha256(self) -> str:
        return sha256(self.content).hexdigest()


@dataclass(frozen=True)
class Track:
    """One publication."""

    id: str
    kind: str
    source_type: str


@dataclass
class Recording:
    """In memory."""

    id: str = "rec-1"
    started_at: datetime = datetime(2026, 3, 9, 1, 30, tzinfo=UTC)
    held: dict[Track, list[Segment]] = field(default_factory=dict)

    @property
    def tracks(self) -> list[Track]:
        return list(self.held)

    def segments(self, track: Any) -> list[Segment]:
        return self.held[track]

    def read(self, segment: Any, offset: int, length: int) -> bytes:
        return cast(bytes, segment.content[offset : offset + length])


def level(seconds: float) -> int:
    """The grey of a picture taken at this second: 13 steps apart at 10 a second, so that a wrong frame shows."""
    return 40 + int(round(seconds * 10)) % 16 * 13


def film(
    start: float, seconds: float, *, width: int = 320, height: int = 240, fps: int = 10, codec: str = "libvpx"
) -> bytes:
    """A WebM (MP4 for ``libx264``) whose pictures show their time on the recording's axis."""
    stream = io.BytesIO()
    container = av.open(stream, "w", format="mp4" if codec == "libx264" else "webm")
    video = cast(VideoStream, container.add_stream(codec, rate=fps))
    video.width, video.height, video.pix_fmt = width, height, "yuv420p"
    video.bit_rate = 500_000
    video.codec_context.options = {} if codec == "libx264" else {"deadline": "realtime", "cpu-used": "8"}
    for index in range(round(seconds * fps)):
        picture = np.full((height, width, 3), level(start + index / fps), np.uint8)
        frame = VideoFrame.from_ndarray(picture, format="bgr24").reformat(format="yuv420p")
        frame.pts, frame.time_base = index, Fraction(1, fps)
        container.mux(video.encode(frame))
    container.mux(video.encode(None))
    container.close()
    return stream.getvalue()


def tone(seconds: float, hertz: float, loudness: float = 0.3) -> bytes:
    """A WebM with Opus."""
    stream = io.BytesIO()
    container = av.open(stream, "w", format="webm")
    audio = cast(AudioStream, container.add_stream("libopus", rate=48_000))
    audio.codec_context.layout = "mono"
    for index in range(round(seconds * 50)):
        times = (index * 960 + np.arange(960)) / 48_000
        samples = (np.sin(2 * np.pi * hertz * times) * loudness * 32767).astype(np.int16)
        frame = AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, index * 960, Fraction(1, 48_000)
        container.mux(audio.encode(frame))
    container.mux(audio.encode(None))
    container.close()
    return stream.getvalue()


def theatre() -> Recording:
    """8 s: an endoscope with a gap of 2 s between its segments, a room camera in H.264 that begins late, a voice."""
    recording = Recording()
    recording.held[Track("cam-a", "video", "endoscope")] = [
        Segment(0, 0.0, 3.0, "video/webm", film(0, 3)),
        Segment(1, 5.0, 3.0, "video/webm", film(5, 3), gaps=((6.0, 6.5, "lost"),)),
    ]
    recording.held[Track("cam-b", "video", "room")] = [
        Segment(0, 1.0, 7.0, "video/mp4", film(1, 7, width=160, height=240, codec="libx264")),
    ]
    recording.held[Track("mic", "audio", "microphone")] = [Segment(0, 2.0, 4.0, "audio/webm", tone(4, 440))]
    return recording
