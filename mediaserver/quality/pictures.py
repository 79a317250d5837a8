"""Key frames out of a tap's records: of the lowest layer that flows, decoded as often as the pace allows."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import av
import numpy as np
from av.error import FFmpegError

from mediaserver.quality.look import Plane
from mediaserver.quality.pace import APART_SECONDS
from mediaserver.recording.depacketise import Malformed, assembler
from mediaserver.recording.records import Record, RecordKind

DECODERS = {"VP8": "vp8", "VP9": "vp9", "H264": "h264", "AV1": "av1"}
MAX_PACKETS = 2_000
"""Of one picture: 2.4 MB, a key frame of no camera."""
MAX_PIXELS = 4096 * 2304
"""Of a picture that is decoded: no camera's lowest layer has more, and whoever says so wants memory."""
_RTP = struct.Struct(">BBHII")


class Undecodable(Exception):
    """A key frame that the decoder does not take."""


@dataclass(slots=True)
class _Gathering:
    """Packets of one RTP timestamp, by sequence number relative to the first that came."""

    timestamp: int
    first: int
    payloads: dict[int, bytes] = field(default_factory=dict)
    last: int | None = None
    """Where the marker was."""

    def add(self, sequence: int, payload: bytes, marker: bool) -> None:
        place = ((sequence - self.first + 0x8000) & 0xFFFF) - 0x8000
        if len(self.payloads) < MAX_PACKETS:
            self.payloads.setdefault(place, payload)
        if marker:
            self.last = place

    def whole(self) -> list[bytes] | None:
        """All payloads in order, once none is missing."""
        if self.last is None:
            return None
        first = min(self.payloads)
        places = range(first, self.last + 1)
        if any(place not in self.payloads for place in places):
            return None
        return [self.payloads[place] for place in places]


class Pictures:
    """One publication's. ``take`` gives a key frame's planes when one is due and whole.

    Only key frames are decoded, as any other needs all before it: the source's frame rate costs nothing.
    """

    def __init__(self, codec: str, decoding: Callable[[bool], None] = lambda _: None) -> None:
        """``decoding`` hears before a picture is decoded, and after: what a decoder died of."""
        self._decoding = decoding
        self._assemble = assembler(codec)
        self._decoder = DECODERS[codec.upper()]
        self._lowest = 0
        self._gathering: _Gathering | None = None
        self._decoded_at = float("-inf")
        self.apart_seconds = APART_SECONDS
        """From one decoded picture to the next, at least."""
        self.muted = False

    def take(self, data: bytes, record: Record, now: float) -> tuple[Plane, Plane, Plane] | None:
        """One record. Raises ``Undecodable``."""
        body = data[record.start : record.end]
        match record.kind:
            case RecordKind.LAYERS if len(body) >= 4:
                bits = int.from_bytes(body[:4], "big")
                self._lowest = (bits & -bits).bit_length() - 1 if bits else 0
                self._gathering = None
            case RecordKind.MUTED if body:
                self.muted = bool(body[0])
            case RecordKind.PACKET if record.encoding == self._lowest:
                return self._packet(body, now)
            case _:
                pass
        return None

    def _packet(self, packet: bytes, now: float) -> tuple[Plane, Plane, Plane] | None:
        if now - self._decoded_at < self.apart_seconds:
            return None
        parsed = _parse(packet)
        if parsed is None:
            return None
        sequence, timestamp, marker, payload = parsed
        if self._gathering is None or self._gathering.timestamp != timestamp:
            self._gathering = _Gathering(timestamp, sequence)
        self._gathering.add(sequence, payload, marker)
        payloads = self._gathering.whole()
        if payloads is None:
            return None
        self._gathering = None
        try:
            unit = self._assemble(payloads)
        except Malformed:
            # The first packets came before the tap, or were lost: no picture, and no fault of the source.
            return None
        if not unit.keyframe:
            return None
        self._decoded_at = now
        self._decoding(True)
        try:
            return self._decode(unit.data)
        finally:
            self._decoding(False)

    def _decode(self, data: bytes) -> tuple[Plane, Plane, Plane]:
        decoder = cast("av.VideoCodecContext", av.CodecContext.create(self._decoder, "r"))
        decoder.thread_count = 1
        decoder.options = {"max_pixels": str(MAX_PIXELS)}
        try:
            frames = [*decoder.decode(av.Packet(data)), *decoder.decode(None)]
        except (FFmpegError, MemoryError):
            raise Undecodable from None
        if not frames:
            raise Undecodable
        frame = frames[0].reformat(format="yuv420p")
        return planes(frame)


def planes(frame: av.VideoFrame) -> tuple[Plane, Plane, Plane]:
    """Luma and both chroma planes of a yuv420p picture, without the padding of its lines."""
    found = []
    for plane in frame.planes:
        lines = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        found.append(lines[: plane.height, : plane.width])
    return found[0], found[1], found[2]


def _parse(packet: bytes) -> tuple[int, int, bool, bytes] | None:
    """Sequence number, timestamp, marker and payload (RFC 3550 section 5.1); None for what is no RTP."""
    if len(packet) < _RTP.size or packet[0] >> 6 != 2:
        return None
    flags, kind, sequence, timestamp, _ = _RTP.unpack_from(packet)
    start = _RTP.size + 4 * (flags & 0x0F)
    if flags & 0x10:
        if len(packet) < start + 4:
            return None
        start += 4 + 4 * int.from_bytes(packet[start + 2 : start + 4], "big")
    end = len(packet) - (packet[-1] if flags & 0x20 else 0)
    return (sequence, timestamp, bool(kind & 0x80), packet[start:end]) if start < end else None
