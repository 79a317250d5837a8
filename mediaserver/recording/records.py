"""The framed records of a tap, as the data plane writes them (``docs/recording.md``)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Final, NamedTuple

HEADER: Final = struct.Struct(">IBBHQQ")
"""Length of the rest, kind, encoding, flags, publication, arrival in microseconds of the worker's clock."""
_LENGTH_BYTES: Final = 4
REPAIRED: Final = 1
"""The flag of a packet that came by retransmission."""
MAX_RECORD_BYTES: Final = 128 * 1024
"""More than any datagram: what says it is longer is no record."""


class RecordKind(IntEnum):
    """What a record tells; its body in brackets, in network order."""

    BEGIN = 0
    """The tap begins [system's monotonic clock and wall clock in microseconds, 8 + 8]."""
    PACKET = 1
    """[A plain RTP packet]"""
    REPORT = 2
    """[Source 4, RTP timestamp 4, NTP timestamp 8]"""
    SOURCE = 3
    """An encoding has another source [4]."""
    LAYERS = 4
    """Encodings that flow [bits, 4]."""
    MUTED = 5
    """[1 muted, 0 heard, 1 byte]"""
    DROPPED = 6
    """Records lost between plane and recorder [8]."""
    ENDED = 7
    """The tap's last."""


class Record(NamedTuple):
    """One record; ``start`` and ``end`` bound its body in the bytes it was found in."""

    kind: int
    encoding: int
    flags: int
    publication: int
    arrival: int
    start: int
    end: int


def scan(data: bytes) -> Iterator[Record]:
    """All whole records, oldest first; what follows a broken one is left out."""
    unpack, header, at, size = HEADER.unpack_from, HEADER.size, 0, len(data)
    while at + header <= size:
        length, kind, encoding, flags, publication, arrival = unpack(data, at)
        end = at + _LENGTH_BYTES + length
        if end > size or length < header - _LENGTH_BYTES:
            return
        yield Record(kind, encoding, flags, publication, arrival, at + header, end)
        at = end


def missed(batch: bytes | bytearray | memoryview) -> int:
    """Records that found the tap full, as the first record of the next batch tells."""
    if len(batch) < HEADER.size + 8 or batch[_LENGTH_BYTES] != RecordKind.DROPPED:
        return 0
    return int.from_bytes(batch[HEADER.size : HEADER.size + 8], "big")


def frame(
    kind: int, body: bytes, *, encoding: int = 0, flags: int = 0, publication: int = 0, arrival: int = 0
) -> bytes:
    """One record."""
    length = HEADER.size - _LENGTH_BYTES + len(body)
    return HEADER.pack(length, kind, encoding, flags, publication, arrival) + body
