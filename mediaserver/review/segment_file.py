"""A sealed segment as a seekable stream of plain bytes: only the chunks that are read are decrypted."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import Any

READ_AHEAD_BYTES = 256 * 1024
"""Demuxers read in small steps; a chunk is decrypted once for many of them."""

ReadAt = Callable[[int, int], bytes]
"""Plain bytes from an offset, fewer at the end."""


class _Segment(io.RawIOBase):
    def __init__(self, read_at: ReadAt, size: int) -> None:
        self._read_at = read_at
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("before the start")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        content = self._read_at(self._position, len(view))
        view[: len(content)] = content
        self._position += len(content)
        return len(content)


def open_segment(read_at: ReadAt, size: int) -> io.BufferedReader:
    """``size`` plain bytes as a file; holds nothing in clear but what was read last."""
    return io.BufferedReader(_Segment(read_at, size), READ_AHEAD_BYTES)
