"""Small recordings in the real format, with pictures whose content tells when they were taken."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from mediaserver.ids import RecordingId, TrackId
from mediaserver.recording.annex import ANNOUNCED
from mediaserver.recording.folder import RecordingFolder
from mediaserver.recording.manifest import Manifest
from mediaserver.recording.reader import Recording
from mediaserver.vault import ChunkWriter, DataKey, Vault
from signalling.demo import marks

STARTED_AT = datetime(2026, 3, 9, 1, 30, tzinfo=UTC)
Gap = tuple[float, float, str]


QUICK = {"deadline": "realtime", "cpu-used": "8", "threads": "1"}
"""Of libvpx: pictures as small as these gain nothing from more threads."""
DIMENSIONS = {"video/webm": (320, 240), "video/mp4": (160, 240)}


@dataclass
class Writer:
    """Writes a recording as the sealer does: keys, chunks, manifest; everything but the journals."""

    folder: RecordingFolder
    vault: Vault
    key: DataKey = field(init=False)
    manifest: Manifest = field(init=False)

    def __post_init__(self) -> None:
        self.folder.make()
        self.key = self.folder.create_key(self.vault)
        self.manifest = Manifest(self.folder, self.vault)

    def begin(self, room: str, started_at: datetime, procedure: str) -> None:
        sealed = self.vault.seal_field(room, f"recording/{self.folder.id}/room").hex()
        micros = round(started_at.timestamp() * 1_000_000)
        self.manifest.append(
            {
                "type": "begin",
                "room": sealed,
                "procedure": procedure,
                "unix_micros": micros,
                "monotonic_micros": 0,
            }
        )

    def track(self, track: str, kind: str, source_type: str, codec: str, label: str = "") -> None:
        sealed = self.vault.seal_field(label, f"track/{track}/label").hex() if label else ""
        self.manifest.append(
            {
                "type": "track", "track": track, "kind": kind, "source_type": source_type, "codec": codec,
                "participant": "p-surgeon", "label": sealed,
                "clock_rate": 90_000 if kind == "video" else 48_000,
            }
        )  # fmt: skip

    def segment(
        self,
        track: str,
        number: int,
        start: float,
        duration: float,
        plain: bytes,
        media_type: str,
        gaps: Sequence[Gap] = (),
        changes: Sequence[tuple[float, str, int]] = (),
    ) -> None:
        id, suffix = TrackId(track), media_type.partition("/")[2]
        path = self.folder.segment(id, number, suffix)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with path.open("wb") as stream:
            with ChunkWriter(stream, self.key, self.folder.segment_context(id, number)) as writer:
                writer.write(plain)
            digest = writer.sha256.hex()
        is_video = media_type.startswith("video")
        self.manifest.append(
            {
                "type": "segment", "track": track, "number": number, "suffix": suffix,
                "media_type": media_type,
                "start": start, "duration": duration, "size": len(plain), "sha256": digest, "encoding": 0,
                "dimensions": list(DIMENSIONS[media_type]) if is_video else [],
                "gaps": [list(gap) for gap in gaps],
                "keyframes": [start], "changes": [list(change) for change in changes],
                "pictures": max(1, round(25 * duration)), "packets": 1000, "lost": 3,
            }
        )  # fmt: skip

    def event(self, at: float, name: str, **details: object) -> None:
        self.manifest.append({"type": "event", "at": at, "name": name, **details})

    def end(self) -> None:
        self.manifest.append({"type": "end", "state": "sealed", "announces": list(ANNOUNCED)})


def level(seconds: float) -> int:
    """The grey of a picture of this second: 13 steps apart at 10 a second, so that a wrong frame shows."""
    return 40 + round(seconds * 10) % 16 * 13


def film(
    start: float, seconds: float, *, width: int = 320, height: int = 240, fps: int = 10, codec: str = "libvpx"
) -> bytes:
    """A WebM (MP4 for ``libx264``) whose pictures show their time on the recording's axis."""
    stream = io.BytesIO()
    container = av.open(stream, "w", format="mp4" if codec == "libx264" else "webm")
    video = cast(VideoStream, container.add_stream(codec, rate=fps))
    video.width, video.height, video.pix_fmt = width, height, "yuv420p"
    video.bit_rate = 500_000
    video.codec_context.options = {} if codec == "libx264" else QUICK
    coloured = VideoReformatter()
    for index in range(round(seconds * fps)):
        picture = np.full((height, width, 3), level(start + index / fps), np.uint8)
        frame = coloured.reformat(VideoFrame.from_ndarray(picture, format="bgr24"), format="yuv420p")
        frame.pts, frame.time_base = index, Fraction(1, fps)
        container.mux(video.encode(frame))
    container.mux(video.encode(None))
    container.close()
    return stream.getvalue()


def tone(seconds: float, hertz: float, loudness: float = 0.3) -> bytes:
    """A WebM with Opus."""
    stream = io.BytesIO()
    container = av.open(stream, "w", format="webm")
    audio = container.add_stream("libopus", rate=48_000)
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


@cache
def _media() -> tuple[bytes, bytes, bytes, bytes]:
    late = film(1, 7, width=160, height=240, codec="libx264")
    return film(0, 3), film(5, 3), late, tone(4, 440)


VAULT = Vault([bytes(range(32))])
RECORDING = RecordingId("rTheatre-1")


def theatre(
    root: Path,
    vault: Vault = VAULT,
    id: RecordingId = RECORDING,
    room: str = "7QK2",
    procedure: str = "proc-0",
    started_at: datetime = STARTED_AT,
) -> Recording:
    """8 s: an endoscope with 2 s between its segments, a room camera in H.264 that begins late, a voice."""
    first, second, late, voice = _media()
    writer = Writer(RecordingFolder.of(root, id), vault)
    writer.begin(room, started_at, procedure)
    writer.track("t-cam-a", "video", "endoscope", "VP8", "Nội soi đường mật")
    writer.track("t-cam-b", "video", "room", "H264")
    writer.track("t-mic", "audio", "microphone", "OPUS", "Bác sĩ Ánh")
    writer.event(0.5, "joined", participant="p-surgeon")
    writer.segment("t-cam-a", 0, 0.0, 3.0, first, "video/webm")
    writer.segment(
        "t-cam-a", 1, 5.0, 3.0, second, "video/webm", gaps=((3.0, 5.0, "muted"), (6.0, 6.5, "lost"))
    )
    writer.segment("t-cam-b", 0, 1.0, 7.0, late, "video/mp4")
    writer.segment("t-mic", 0, 2.0, 4.0, voice, "audio/webm")
    writer.end()
    return Recording.open(writer.folder.path, vault)


MARKED = (680, 96)
"""Wide enough for large marks, flat to be cheap."""


@cache
def marked_minute() -> bytes:
    """60 s at 25 pictures a second, a key frame every 10 s; each picture's mark says its milliseconds."""
    stream, (width, height), fps = io.BytesIO(), MARKED, 25
    container = av.open(stream, "w", format="webm")
    video = container.add_stream("libvpx", rate=fps)
    video.width, video.height, video.pix_fmt = width, height, "yuv420p"
    video.bit_rate = 400_000
    video.codec_context.gop_size = 10 * fps
    video.codec_context.options = QUICK
    coloured = VideoReformatter()
    for index in range(60 * fps):
        picture = np.full((height, width, 3), 60, np.uint8)
        marks.draw(picture, marks.Mark(index * 1000 // fps, 0))
        frame = coloured.reformat(VideoFrame.from_ndarray(picture, format="bgr24"), format="yuv420p")
        frame.pts, frame.time_base = index, Fraction(1, fps)
        container.mux(video.encode(frame))
    container.mux(video.encode(None))
    container.close()
    return stream.getvalue()


def minutes(root: Path, vault: Vault, id: RecordingId, room: str, count: int, procedure: str) -> Recording:
    """Two cameras and a microphone in segments of a minute; the second camera paused from 30 s to 40 s."""
    picture, sound = marked_minute(), tone(60, 330)
    writer = Writer(RecordingFolder.of(root, id), vault)
    writer.begin(room, STARTED_AT, procedure)
    writer.track("t-scope", "video", "endoscope", "VP8", "Nội soi")
    writer.track("t-room", "video", "room", "VP8")
    writer.track("t-mic", "audio", "microphone", "OPUS")
    for number in range(count):
        start = number * 60.0
        gaps = ((30.0, 40.0, "muted"),) if number == 0 else ()
        writer.segment("t-scope", number, start, 60.0, picture, "video/webm")
        writer.segment("t-room", number, start, 60.0, picture, "video/webm", gaps)
        writer.segment("t-mic", number, start, 60.0, sound, "audio/webm")
    writer.end()
    return Recording.open(writer.folder.path, vault)
