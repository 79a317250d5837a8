"""Positions in a stream of known size."""

from __future__ import annotations

import os

import pytest

from mediaserver.review.seekable import Seekable


class Ten(Seekable):
    @property
    def size(self) -> int:
        return 10


def test_a_position_counts_from_start_here_or_end() -> None:
    stream = Ten()
    assert (stream.readable(), stream.seekable(), stream.writable()) == (True, True, False)
    assert [stream.seek(4), stream.seek(3, os.SEEK_CUR), stream.seek(-1, os.SEEK_END)] == [4, 7, 9]
    assert stream.seek(5, os.SEEK_END) == stream.tell() == 15


def test_nothing_lies_before_the_start() -> None:
    stream = Ten()
    stream.seek(2)
    with pytest.raises(ValueError, match="before the start"):
        stream.seek(-3, os.SEEK_CUR)
    assert stream.tell() == 2
