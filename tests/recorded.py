"""What tests of recordings share: pictures of real encoders as packets and records, and a recording to put
them in."""

from __future__ import annotations

import io
import os
import secrets
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np

from mediaserver.ids import RecordingId, TrackId
from mediaserver.recording.folder import RecordingFolder
from mediaserver.recording.journal import Journal
from mediaserver.recording.manifest import Manifest
from mediaserver.recording.reader import Recording
from mediaserver.recording.records import RecordKind, frame
from mediaserver.recording.seal import Order, Outcome, seal
from mediaserver.vault import DataKey, Vault

PAYLOAD = 1_000
_ID = RecordingId("rtest")
START_MICROS = 50_000_000
"""The system's monotonic clock when the recording starts."""
_ENCODERS = {"VP8": "libvpx", "VP9": "libvpx-vp9", "AV1": "libsvtav1", "H264": "libx264", "OPUS": "libopus"}
_OPTIONS = {
    "VP8": {"deadline": "realtime", "cpu-used": "8", "auto-alt-ref": "0", "lag-in-frames": "0"},
    "VP9": {"deadline": "realtime", "cpu-used": "8", "auto-alt-ref": "0", "lag-in-frames": "0"},
    "AV1": {"preset": "12", "svtav1-params": "pred-struct=1:lookahead=0:rc=2"},
    "H264": {"preset": "ultrafast", "tune": "zerolatency", "bf": "0"},
}


@cache
def encoded(codec: str, count: int, every: int = 30, size: tuple[int, int] = (160, 96)) -> tuple[bytes, ...]:
    """Pictures (30 a second, a key frame ``every`` so many) or packets of sound (20 ms) of a real encoder."""
    if codec == "OPUS":
        return _sound(count)
    with _own_priority():
        return _pictures(codec, count, every, size)


@contextmanager
def _own_priority() -> Iterator[None]:
    """SVT-AV1 takes real-time priority for the thread that opens it if the user is root, and keeps it: all
    other tests would starve."""
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def _pictures(codec: str, count: int, every: int, size: tuple[int, int]) -> tuple[bytes, ...]:
    context = av.CodecContext.create(_ENCODERS[codec], "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height = size
    context.pix_fmt, context.time_base, context.framerate = "yuv420p", Fraction(1, 30), Fraction(30)
    context.gop_size, context.bit_rate = every, 300_000
    context.options = {**_OPTIONS[codec], "g": str(every)}
    found: list[bytes] = []
    for index in range(count):
        picture = np.full((size[1], size[0], 3), 40, np.uint8)
        picture[:, (index * 4) % size[0] : (index * 4) % size[0] + 16] = 220
        image = av.VideoFrame.from_ndarray(picture, format="rgb24")
        image.pts = index
        found += [bytes(packet) for packet in context.encode(image)]
    found += [bytes(packet) for packet in context.encode(None)]
    return tuple(found[:count])


def _sound(count: int) -> tuple[bytes, ...]:
    context = av.CodecContext.create("libopus", "w")
    context.sample_rate, context.format, context.layout = 48_000, "s16", "stereo"
    found: list[bytes] = []
    for index in range(count + 2):
        tone = (8_000 * np.sin(np.arange(960) * 440 * 2 * np.pi / 48_000)).astype(np.int16)
        sound = av.AudioFrame.from_ndarray(np.repeat(tone, 2)[np.newaxis], format="s16", layout="stereo")
        sound.sample_rate, sound.pts = 48_000, index * 960
        found += [bytes(packet) for packet in context.encode(sound)]
    return tuple(found[:count])


# ---- Packets, written from the RFCs and not from the code that is tested ----


def packetised(codec: str, data: bytes, number: int = 0) -> list[bytes]:
    """RTP payloads of one picture."""
    if codec == "OPUS":
        return [data]
    if codec == "H264":
        return list(_h264(data))
    if codec == "AV1":
        return list(_av1(data))
    pieces = [data[at : at + PAYLOAD] for at in range(0, len(data), PAYLOAD)]
    if codec == "VP8":
        # X, I with a 15-bit picture id; S on the first (RFC 7741 section 4.2).
        return [
            bytes([0x80 | 0x10 * (not index), 0x80]) + struct.pack(">H", 0x8000 | number & 0x7FFF) + piece
            for index, piece in enumerate(pieces)
        ]
    last = len(pieces) - 1
    heads = [0x80 | 0x08 * (i == 0) | 0x04 * (i == last) for i in range(len(pieces))]
    return [
        bytes([head]) + struct.pack(">H", 0x8000 | number & 0x7FFF) + p
        for head, p in zip(heads, pieces, strict=True)
    ]


def _nal_units(data: bytes) -> list[bytes]:
    return [
        unit.rstrip(b"\x00")
        for unit in data.replace(b"\x00\x00\x00\x01", b"\x00\x00\x01").split(b"\x00\x00\x01")[1:]
    ]


def _h264(data: bytes) -> Iterator[bytes]:
    units = _nal_units(data)
    small = [unit for unit in units if unit[0] & 31 in (7, 8, 6)]
    if len(small) > 1:
        yield bytes([24]) + b"".join(struct.pack(">H", len(unit)) + unit for unit in small)
        units = [unit for unit in units if unit not in small]
    for unit in units:
        if len(unit) <= PAYLOAD:
            yield unit
            continue
        pieces = [unit[at : at + PAYLOAD] for at in range(1, len(unit), PAYLOAD)]
        for index, piece in enumerate(pieces):
            flags = 0x80 * (index == 0) | 0x40 * (index == len(pieces) - 1)
            yield bytes([unit[0] & 0xE0 | 28, flags | unit[0] & 31]) + piece


def _av1(data: bytes) -> Iterator[bytes]:
    """Every OBU an element without size field; the last element of a packet without length (W)."""
    obus: list[bytes] = []
    at = 0
    while at < len(data):
        head, at = data[at], at + 1
        length = shift = 0
        while True:
            byte, at = data[at], at + 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        if (head >> 3) & 15 != 2:
            obus.append(bytes([head & ~0x02]) + data[at : at + length])
        at += length
    for obu in obus:
        pieces = [obu[start : start + PAYLOAD] for start in range(0, len(obu), PAYLOAD)]
        for index, piece in enumerate(pieces):
            continues, continued = index > 0, index < len(pieces) - 1
            new = (obu[0] >> 3) & 15 == 1
            yield bytes([0x80 * continues | 0x40 * continued | 0x10 | 0x08 * new]) + piece


@dataclass
class Source:
    """A publisher's stream as a tap would record it. Times in seconds of the server's axis."""

    codec: str = "VP8"
    ssrc: int = 77
    publication: int = 5
    encoding: int = 0
    drift_ppm: float = 0.0
    """How much faster this publisher's clocks run."""
    ntp_offset: float = 3.9e9
    rtp: int = 0xFFFF_F000
    seq: int = 65_500
    delay: float = 0.02
    """Of its link."""
    worker_shift: int = START_MICROS - 1_000_000
    """What its worker's clock lacks to the system's."""
    start_micros: int = START_MICROS
    """The system's clock when the recording starts."""

    @property
    def clock_rate(self) -> int:
        return 48_000 if self.codec == "OPUS" else 90_000

    def _arrival(self, at: float) -> int:
        return round((at + self.delay) * 1_000_000) + self.start_micros - self.worker_shift

    def _rtp(self, at: float) -> int:
        return (self.rtp + round(at * (1 + self.drift_ppm / 1e6) * self.clock_rate)) & 0xFFFF_FFFF

    def begin(self, at: float = 0.0) -> bytes:
        """The first record of a tap."""
        arrival = self._arrival(at)
        clocks = struct.pack(">QQ", arrival + self.worker_shift, 0)
        return frame(RecordKind.BEGIN, clocks, publication=self.publication, arrival=arrival)

    def picture(self, at: float, data: bytes, number: int = 0) -> list[bytes]:
        """The records of one picture drawn at this moment."""
        payloads = packetised(self.codec, data, number)
        records = []
        for index, payload in enumerate(payloads):
            marker = 0x80 if index == len(payloads) - 1 and self.codec != "OPUS" else 0
            head = struct.pack(">BBHII", 0x80, marker | 96, self.seq & 0xFFFF, self._rtp(at), self.ssrc)
            self.seq += 1
            records.append(self._record(RecordKind.PACKET, head + payload, at))
        return records

    def report(self, at: float) -> bytes:
        """A sender report made at this moment."""
        ntp = int((self.ntp_offset + at * (1 + self.drift_ppm / 1e6)) * (1 << 32))
        return self._record(RecordKind.REPORT, struct.pack(">IIQ", self.ssrc, self._rtp(at), ntp), at)

    def muted(self, at: float, muted: bool) -> bytes:
        """The publication is muted, or heard again."""
        return self._record(RecordKind.MUTED, bytes([muted]), at)

    def _record(self, kind: RecordKind, body: bytes, at: float) -> bytes:
        arrival = self._arrival(at)
        return frame(kind, body, encoding=self.encoding, publication=self.publication, arrival=arrival)

    def stream(self, units: Sequence[bytes], start: float = 0.0, step: float = 1 / 30) -> list[bytes]:
        """Records of many pictures with a report each second."""
        records: list[bytes] = []
        reported = -1.0
        for index, data in enumerate(units):
            at = start + index * step
            records += self.picture(at, data, index)
            if at - reported >= 1:
                records.append(self.report(at + 0.004))
                reported = at
        return records


@dataclass
class Shelf:
    """A folder with one recording that tests write journals into."""

    root: Path
    vault: Vault = field(default_factory=lambda: Vault([secrets.token_bytes(32)]))
    id: RecordingId = _ID
    procedure: str = "p1"

    def __post_init__(self) -> None:
        self.folder = RecordingFolder.of(self.root, self.id)
        self.folder.make()
        self.key: DataKey = self.folder.create_key(self.vault)
        self.manifest = Manifest(self.folder, self.vault)
        room = self.vault.seal_field("theatre", f"recording/{self.id}/room").hex()
        begin = {
            "room": room,
            "procedure": self.procedure,
            "monotonic_micros": START_MICROS,
            "unix_micros": 1_750_000_000_000_000,
        }
        self.manifest.append({"type": "begin", **begin})

    def track(self, name: str, codec: str = "VP8") -> TrackId:
        """A track of this codec."""
        sound = codec == "OPUS"
        self.manifest.append({
            "type": "track", "track": name, "kind": "audio" if sound else "video", "codec": codec,
            "clock_rate": 48_000 if sound else 90_000, "participant": "someone", "label": "",
            "source_type": "microphone" if sound else "endoscope",
        })  # fmt: skip
        return TrackId(name)

    def journal(self, track: str, records: Sequence[bytes], number: int = 0, per_chunk: int = 20) -> Path:
        """One journal file."""
        journal = Journal(self.folder.journal(TrackId(track), number), self.key)
        for at in range(0, len(records), per_chunk):
            journal.append(b"".join(records[at : at + per_chunk]))
        journal.close()
        return journal.path

    def seal(self, now: float = float("inf"), state: str | None = None) -> Outcome:
        """One round."""
        return seal(Order(self.folder, now=now, state=state), self.vault)

    def open(self) -> Recording:
        """As a reader sees it."""
        return Recording.open(self.folder.path, self.vault)

    def played(self, number: int = 0, track: int = 0) -> list[tuple[float, int]]:
        """(seconds from the segment's start, width or samples) of all that a player shows of a segment."""
        recording = self.open()
        segment = recording.segments(recording.tracks[track])[number]
        return decoded(recording.read(segment, 0, segment.size))


def decoded(content: bytes) -> list[tuple[float, int]]:
    """What a stock player gets out of a file: (seconds, width of the picture or samples of the sound)."""
    with av.open(io.BytesIO(content), "r") as file:
        if file.streams.video:
            return [(float(one.time or 0), one.width) for one in file.decode(video=0)]
        return [(float(one.time or 0), one.samples) for one in file.decode(audio=0)]
