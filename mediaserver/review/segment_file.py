"""A sealed segment as a seekable stream of plain bytes: only the chunks that are read are decrypted."""

from __future__ import annotations

import io
import os
from typing import Any

from mediaserver.recording.reader import Recording, Segment

READ_AHEAD_BYTES = 256 * 1024
"""Demuxers read in small steps; a chunk is decrypted once for many of them."""


class _Segment(io.RawIOBase):
    def __init__(self, recording: Recording, segment: Segment) -> None:
        self._recording = recording
        self._segment = segment
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._segment.size}[whence]
        if base + offset < 0:
            raise ValueError("before the start")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        content = self._recording.read(self._segment, self._position, len(view))
        view[: len(content)] = content
        self._position += len(content)
        return len(content)


def open_segment(recording: Recording, segment: Segment) -> io.BufferedReader:
    """Its plain bytes as a file; holds nothing in clear but what was read last."""
    return io.BufferedReader(_Segment(recording, segment), READ_AHEAD_BYTES)
