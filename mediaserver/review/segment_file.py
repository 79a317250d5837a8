"""A sealed segment as a seekable stream of plain bytes: only the chunks that are read are decrypted."""

from __future__ import annotations

import io
from typing import Any

from mediaserver.recording.reader import Recording, Segment
from mediaserver.review.seekable import Seekable

READ_AHEAD_BYTES = 256 * 1024
"""Demuxers read in small steps; a chunk is decrypted once for many of them."""


class _Segment(Seekable):
    def __init__(self, recording: Recording, segment: Segment) -> None:
        self._recording = recording
        self._segment = segment

    @property
    def size(self) -> int:
        return self._segment.size

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        content = self._recording.read(self._segment, self._position, len(view))
        view[: len(content)] = content
        self._position += len(content)
        return len(content)


def open_segment(recording: Recording, segment: Segment) -> io.BufferedReader:
    """Its plain bytes as a file; holds nothing in clear but what was read last."""
    return io.BufferedReader(_Segment(recording, segment), READ_AHEAD_BYTES)
