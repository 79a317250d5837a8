"""Pictures as one playable file, remuxed without transcoding: WebM, or MP4 for H.264."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import BinaryIO, Final

import av
from av.container import OutputContainer
from av.stream import Stream

from mediaserver.recording.depacketise import Malformed
from mediaserver.recording.parts import Picture

_TEMPORAL_DELIMITER: Final = b"\x12\x00"
_OPUS_FRAME_MS: Final = (10, 20, 40, 60)


@dataclass(frozen=True, slots=True)
class Container:
    """How a codec is stored."""

    format: str
    suffix: str
    media_type: str
    codec: str
    ticks: int
    """Of its clock in a second."""


_WEBM_VIDEO: Final = ("webm", "webm", "video/webm")
CONTAINERS: Final = {
    "VP8": Container(*_WEBM_VIDEO, "vp8", 1000),
    "VP9": Container(*_WEBM_VIDEO, "vp9", 1000),
    "AV1": Container(*_WEBM_VIDEO, "av1", 1000),
    "OPUS": Container("webm", "webm", "audio/webm", "opus", 1000),
    "H264": Container("mp4", "mp4", "video/mp4", "h264", 90_000),
}
"""By codec, in capitals."""


def mux(codec: str, pictures: Sequence[Picture], last_seconds: float) -> bytes:
    """A whole file whose time begins at 0; the last picture lasts ``last_seconds``.

    Raises ``Malformed`` for what no container takes.
    """
    out = io.BytesIO()
    try:
        _write(out, CONTAINERS[codec.upper()], pictures, last_seconds)
    except Exception as error:  # some of PyAV's are OSErrors, but no disk is touched here
        raise Malformed(f"no container takes it: {type(error).__name__}") from error
    return out.getvalue()


def _write(out: BinaryIO, container: Container, pictures: Sequence[Picture], last_seconds: float) -> None:
    base = Fraction(1, container.ticks)
    with av.open(out, "w", format=container.format) as file:
        stream = _stream(file, container, pictures)
        stream.time_base = base
        times = _ticks(pictures, container.ticks)
        ends = [*times[1:], times[-1] + max(1, round(last_seconds * container.ticks))]
        for picture, time, end in zip(pictures, times, ends, strict=True):
            packet = av.Packet(picture.unit.data)
            packet.stream = stream
            packet.time_base = base
            packet.pts = packet.dts = time
            packet.duration = end - time
            packet.is_keyframe = picture.unit.keyframe
            file.mux(packet)


def _stream(file: OutputContainer, container: Container, pictures: Sequence[Picture]) -> Stream:
    if container.codec == "opus":
        # Its encoder is never fed: it is there for the header (RFC 7845 section 5.1), whose pre-skip is
        # libopus's.
        return file.add_stream("libopus", rate=48_000, layout="stereo")
    first = next((picture.unit for picture in pictures if picture.unit.size), pictures[0].unit)
    if container.codec == "av1" and first.setup:
        with av.open(io.BytesIO(_TEMPORAL_DELIMITER + first.data), format="obu") as sequence:
            return file.add_stream_from_template(sequence.streams.video[0], opaque=True)
    width, height = first.size or (16, 16)
    return file.add_mux_stream(container.codec, width=width, height=height)


def _ticks(pictures: Sequence[Picture], ticks: int) -> list[int]:
    """Times from the first picture on, each greater than the one before."""
    start, last, times = pictures[0].at, -1, []
    for picture in pictures:
        last = max(last + 1, round((picture.at - start) * ticks))
        times.append(last)
    return times


def typical_seconds(codec: str, pictures: Sequence[Picture]) -> float:
    """How long the last picture is taken to last: as most do, or a sound packet's own length."""
    if codec.upper() == "OPUS":
        return _opus_seconds(pictures[-1].unit.data)
    steps = sorted(after.at - before.at for before, after in pairwise(pictures))
    return min(steps[len(steps) // 2], 1.0) if steps else 1 / 30


def _opus_seconds(packet: bytes) -> float:
    """RFC 6716 section 3.1."""
    config, code = packet[0] >> 3, packet[0] & 3
    if config < 12:
        frame = _OPUS_FRAME_MS[config % 4]
    elif config < 16:
        frame = (10, 20)[config % 2]
    else:
        return (2.5, 5.0, 10.0, 20.0)[config % 4] * _opus_frames(packet, code) / 1000
    return frame * _opus_frames(packet, code) / 1000


def _opus_frames(packet: bytes, code: int) -> int:
    if code == 3:
        return packet[1] & 0x3F if len(packet) > 1 else 1
    return 1 if code == 0 else 2
