"""An MP4 file with its index before its media, so that a player starts before it has the whole file.

FFmpeg's own ``faststart`` reads the file again by its name; ours has none (``spool.py``). The index
(``moov``, ISO/IEC 14496-12 section 8.2.1) moves to the front, and every offset in it grows by its size.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, Final, Protocol

_COPY_BYTES: Final = 1024 * 1024
_MAX_INDEX_BYTES: Final = 256 * 1024 * 1024
_NESTING: Final = (b"trak", b"mdia", b"minf", b"stbl")
_HEADER: Final = struct.Struct(">I4s")


class Sink(Protocol):
    """Takes bytes in order."""

    def write(self, content: bytes, /) -> object:
        """All of them."""


def _boxes(stream: BinaryIO, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and size of each top-level box. Raises ``ValueError``."""
    position = 0
    while position < end:
        stream.seek(position)
        size, kind = _HEADER.unpack(stream.read(8))
        if size == 1:
            size = int.from_bytes(stream.read(8), "big")
        elif size == 0:
            size = end - position
        if size < 8 or position + size > end:
            raise ValueError("a box is longer than the file")
        yield kind, position, size
        position += size


def _shift(index: bytearray, start: int, end: int, by: int) -> None:
    """Adds to every chunk offset (``stco``, ``co64``, section 8.7.5) between two positions of the index."""
    while start < end:
        size, kind = _HEADER.unpack_from(index, start)
        if size < 8 or start + size > end:
            raise ValueError("a box is longer than the one it is in")
        if kind in _NESTING:
            _shift(index, start + 8, start + size, by)
        elif kind in (b"stco", b"co64"):
            width = 4 if kind == b"stco" else 8
            count = int.from_bytes(index[start + 12 : start + 16], "big")
            for place in range(start + 16, start + 16 + count * width, width):
                offset = int.from_bytes(index[place : place + width], "big") + by
                if offset >= 1 << 8 * width:
                    raise ValueError("an offset does not fit: the muxer chose too narrow an index")
                index[place : place + width] = offset.to_bytes(width, "big")
        start += size


def copy(source: BinaryIO, sink: Sink) -> int:
    """Copies a finished MP4, index first; gives its size. Raises ``ValueError`` when it is none."""
    end = source.seek(0, 2)
    boxes = list(_boxes(source, end))
    media = [start for kind, start, _ in boxes if kind == b"mdat"]
    found = [(start, size) for kind, start, size in boxes if kind == b"moov"]
    if len(found) != 1 or not media or found[0][1] > _MAX_INDEX_BYTES:
        raise ValueError("no MP4 file with one index")
    at, size = found[0]
    source.seek(at)
    index = bytearray(source.read(size))
    if at > media[0]:
        _shift(index, 8, size, size)
        boxes = [box for box in boxes if box[0] != b"moov"]
        boxes.insert(1, (b"moov", at, size))
    for kind, start, length in boxes:
        if kind == b"moov":
            sink.write(bytes(index))
        else:
            _copy_range(source, start, length, sink)
    return end


def _copy_range(source: BinaryIO, start: int, length: int, sink: Sink) -> None:
    source.seek(start)
    while length > 0:
        content = source.read(min(_COPY_BYTES, length))
        if not content:
            raise ValueError("the file ends within a box")
        sink.write(content)
        length -= len(content)
