"""A segment reads like a file, and only what is read is decrypted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediaserver.recording.reader import Recording
from mediaserver.review.segment_file import READ_AHEAD_BYTES, open_segment
from tests.mediaserver.review.recorded import theatre


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return theatre(tmp_path_factory.mktemp("recordings"))


@given(st.lists(st.tuples(st.integers(0, 50_000), st.integers(0, 5_000)), max_size=8))
def test_any_reads_give_what_was_sealed(recording: Recording, reads: list[tuple[int, int]]) -> None:
    segment = recording.segments(recording.tracks[0])[0]
    whole = recording.read(segment, 0, segment.size)
    file = open_segment(recording, segment)
    for offset, length in reads:
        file.seek(offset)
        assert file.read(length) == whole[offset : offset + length]
    file.seek(0, 2)
    assert (file.tell(), file.read(1)) == (segment.size, b"")


def test_little_is_read_for_a_little(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    original = Recording.read

    def counted(self: Recording, segment: Any, offset: int, length: int) -> bytes:
        asked.append(length)
        return original(self, segment, offset, length)

    monkeypatch.setattr(Recording, "read", counted)
    open_segment(recording, recording.segments(recording.tracks[0])[0]).read(10)
    assert sum(asked) <= READ_AHEAD_BYTES


def test_nothing_lies_before_the_start(recording: Recording) -> None:
    with pytest.raises(ValueError, match="before"):
        open_segment(recording, recording.segments(recording.tracks[0])[0]).seek(-1)


def test_it_is_closed_with_its_folder(tmp_path: Path) -> None:
    recording = theatre(tmp_path)
    file = open_segment(recording, recording.segments(recording.tracks[0])[0])
    file.close()
    with pytest.raises(ValueError, match="closed"):
        file.read(1)
