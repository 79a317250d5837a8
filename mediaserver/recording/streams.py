"""A track's records put in order again: streams of packets without duplicates, and the pictures in them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from mediaserver.recording.axis import NTP_UNIT, Line, Report, by_arrivals, by_reports, publisher_offset
from mediaserver.recording.records import Record, RecordKind, scan

_RTP: Final = struct.Struct(">BBHII")
_REPORT: Final = struct.Struct(">IIQ")
_CLOCKS: Final = struct.Struct(">QQ")
_MICROS: Final = 1_000_000
_ARRIVALS_EVERY: Final = 16
"""Of a stream without reports every so many packets are looked at for its clock."""


class StreamKey(NamedTuple):
    """One run of one encoder: another source, or another publication, has other numbers and another clock."""

    publication: int
    encoding: int
    ssrc: int


class Packet(NamedTuple):
    """``rtp`` unwrapped, ``arrival`` on the axis; the payload is empty for padding."""

    rtp: int
    marker: bool
    payload: bytes
    arrival: float


class Change(NamedTuple):
    """Something that befell the track: ``muted``, ``heard``, ``layers``, ``dropped``, ``began``,
    ``ended``."""

    at: float
    name: str
    value: int


class Group(NamedTuple):
    """All packets that came of one RTP timestamp, in order."""

    key: StreamKey
    rtp: int
    at: float
    packets: list[Packet]
    whole: bool
    """None is missing in it, nor between it and the picture before."""
    missing: int
    """Packets missing since the group before, within this one included."""
    last_arrival: float


@dataclass(slots=True)
class Stream:
    """The packets of one encoder's run."""

    key: StreamKey
    packets: dict[int, Packet] = field(default_factory=dict)
    reports: list[Report] = field(default_factory=list)
    _seq: int = -1
    _rtp: int = -1

    def add(self, seq: int, rtp: int, marker: bool, payload: bytes, arrival: float) -> None:
        """Keeps the first of equals."""
        if self._seq < 0:
            self._seq, self._rtp = seq + (1 << 16), rtp + (1 << 32)
        number = self._seq + ((seq - self._seq + 0x8000) & 0xFFFF) - 0x8000
        time = self._rtp + ((rtp - self._rtp + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        if number > self._seq:
            self._seq, self._rtp = number, time
        if number not in self.packets:
            self.packets[number] = Packet(time, marker, payload, arrival)

    def report(self, rtp: int, ntp: int, arrival: float) -> None:
        """A sender report; of no use before the first packet."""
        if self._rtp >= 0:
            time = self._rtp + ((rtp - self._rtp + 0x80000000) & 0xFFFFFFFF) - 0x80000000
            self.reports.append(Report(arrival, ntp * NTP_UNIT, time))

    def groups(self, line: Line, *, sound: bool) -> Iterator[Group]:
        """Its pictures by number; ``line`` is its clock. A packet of sound is whole by itself."""
        numbers = sorted(self.packets)
        start, expected = 0, numbers[0] if numbers else 0
        after_marker = True
        while start < len(numbers):
            rtp = self.packets[numbers[start]].rtp
            end = start
            while end < len(numbers) and self.packets[numbers[end]].rtp == rtp:
                end += 1
            packets = [self.packets[number] for number in numbers[start:end]]
            inside = numbers[end - 1] - numbers[start] + 1 - len(packets)
            before = numbers[start] - expected
            # The next of another timestamp, directly after the last: nothing of this one is missing.
            ends = (
                sound or packets[-1].marker or (end < len(numbers) and numbers[end] == numbers[end - 1] + 1)
            )
            expected = numbers[end - 1] + 1
            payloads = [packet for packet in packets if packet.payload]
            if payloads:
                whole = not inside and ends and (sound or not before or after_marker)
                latest = max(packet.arrival for packet in packets)
                yield Group(self.key, rtp, line(rtp), payloads, whole, before + inside, latest)
            after_marker = packets[-1].marker
            start = end


class Capture:
    """All streams of one track, from the chunks of its journals in order."""

    def __init__(self, clock_rate: int, start_monotonic_micros: int, *, sound: bool) -> None:
        self._clock_rate = clock_rate
        self._sound = sound
        self._start = start_monotonic_micros
        self._shift = 0
        self.streams: dict[StreamKey, Stream] = {}
        self.changes: list[Change] = []
        self.newest = 0.0
        """Arrival of the last record, on the axis."""
        self.first: float | None = None
        """Of the first packet that bears media since this was set to None."""

    def feed(self, chunk: bytes) -> None:
        """Whole records as they came."""
        for record in scan(chunk):
            if record.kind == RecordKind.PACKET:
                self._packet(record, chunk)
            else:
                self._other(record, chunk)

    def shift(self, micros: int) -> None:
        """What a worker's clock needs to become the system's, known from a journal before these chunks."""
        self._shift = micros

    @property
    def worker_shift(self) -> int:
        """For the journal after these chunks."""
        return self._shift

    def _at(self, arrival: int) -> float:
        return (arrival + self._shift - self._start) / _MICROS

    def _packet(self, record: Record, chunk: bytes) -> None:
        start, end = record.start, record.end
        if end - start < _RTP.size:
            return
        first, second, seq, rtp, ssrc = _RTP.unpack_from(chunk, start)
        body = start + _RTP.size + 4 * (first & 0x0F)
        if first & 0x10:
            body += 4 + 4 * int.from_bytes(chunk[body + 2 : body + 4], "big")
        if body > end:
            return
        same = (record.publication, record.encoding, ssrc)  # as its key, and found quicker
        stream = self.streams.get(same)  # type: ignore[call-overload]
        if stream is None:
            key = StreamKey(*same)
            stream = self.streams[key] = Stream(key)
        self.newest = at = self._at(record.arrival)
        if self.first is None and body < end:
            self.first = at
        stream.add(seq, rtp, second >= 0x80, chunk[body:end], at)

    def _other(self, record: Record, chunk: bytes) -> None:
        body = chunk[record.start : record.end]
        value = int.from_bytes(body[:4], "big")
        match record.kind:
            case RecordKind.BEGIN if len(body) >= _CLOCKS.size:
                monotonic, _ = _CLOCKS.unpack_from(body)
                self._shift = monotonic - record.arrival
                self.changes.append(Change(self._at(record.arrival), "began", 0))
            case RecordKind.REPORT if len(body) >= _REPORT.size:
                ssrc, rtp, ntp = _REPORT.unpack_from(body)
                key = StreamKey(record.publication, record.encoding, ssrc)
                if (stream := self.streams.get(key)) is not None:
                    stream.report(rtp, ntp, self._at(record.arrival))
            case RecordKind.MUTED:
                name = "muted" if body[:1] == b"\x01" else "heard"
                self.changes.append(Change(self._at(record.arrival), name, 0))
            case RecordKind.LAYERS:
                self.changes.append(Change(self._at(record.arrival), "layers", value))
            case RecordKind.DROPPED:
                lost = int.from_bytes(body[:8], "big")
                self.changes.append(Change(self.newest, "dropped", lost))
            case RecordKind.ENDED:
                self.changes.append(Change(self._at(record.arrival), "ended", 0))
            case _:
                pass

    def lines(self) -> dict[StreamKey, Line]:
        """Every stream's clock."""
        by_publication: dict[int, list[tuple[StreamKey, Report]]] = {}
        for key, stream in self.streams.items():
            by_publication.setdefault(key.publication, []).extend((key, report) for report in stream.reports)
        points: dict[StreamKey, list[tuple[int, float]]] = {}
        for entries in by_publication.values():
            offsets = publisher_offset([report for _, report in entries])
            for index, (key, report) in enumerate(entries):
                points.setdefault(key, []).append((report.rtp, report.ntp + offsets[index]))
        lines: dict[StreamKey, Line] = {}
        for key, stream in self.streams.items():
            if not stream.packets:
                continue
            line = by_reports(points.get(key, ()), self._clock_rate)
            lines[key] = line or by_arrivals(_sample(stream), self._clock_rate)
        return lines

    def groups(self) -> list[Group]:
        """All pictures of all streams, by their place on the axis."""
        found = [
            group
            for key, line in self.lines().items()
            for group in self.streams[key].groups(line, sound=self._sound)
        ]
        found.sort(key=lambda group: group.at)
        return found


def _sample(stream: Stream) -> list[tuple[int, float]]:
    packets = list(stream.packets.values())
    return [(packet.rtp, packet.arrival) for packet in packets[::_ARRIVALS_EVERY]]
