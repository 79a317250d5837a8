"""A journal: every whole chunk comes back, whatever happened to the end of the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mediaserver.recording.journal import Journal, read_journal
from mediaserver.vault import DataKey, NotAuthentic

KEY = DataKey(bytes(range(32)))
CHUNKS = [b"a" * 100, b"b", b"c" * 5_000]


def written(path: Path) -> Path:
    path.unlink(missing_ok=True)
    journal = Journal(path, KEY)
    for chunk in CHUNKS:
        journal.append(chunk)
    journal.sync()
    assert journal.size == path.stat().st_size
    journal.close()
    return path


def hundred(path: Path) -> list[bytes]:
    """A hundred chunks, each of 220 bytes in the file."""
    path.unlink(missing_ok=True)
    journal = Journal(path, KEY)
    chunks = [bytes([index]) * 200 for index in range(100)]
    for chunk in chunks:
        journal.append(chunk)
    journal.close()
    return chunks


def test_chunks_come_back(tmp_path: Path) -> None:
    chunks = read_journal(written(tmp_path / "t1.0.journal"), KEY)
    assert (chunks.records, chunks.torn) == (CHUNKS, False)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.integers(0, 5_185))
def test_a_cut_costs_the_chunk_it_is_in(tmp_path: Path, length: int) -> None:
    path = written(tmp_path / "t1.0.journal")
    content = path.read_bytes()
    path.write_bytes(content[:length])
    ends = [24]
    for chunk in CHUNKS:
        ends.append(ends[-1] + 4 + len(chunk) + 16)
    whole = sum(end <= length for end in ends[1:])
    chunks = read_journal(path, KEY)
    assert chunks.records == CHUNKS[:whole]
    assert chunks.torn == (length not in ends)


def test_nothing_altered_or_moved_is_taken(tmp_path: Path) -> None:
    path = written(tmp_path / "t1.0.journal")
    content = bytearray(path.read_bytes())
    content[150] ^= 1
    path.write_bytes(content)
    assert read_journal(path, KEY).records == [CHUNKS[0], CHUNKS[2]]
    other = written(tmp_path / "t1.1.journal").rename(tmp_path / "t2.0.journal")
    assert read_journal(other, KEY).records == []
    (tmp_path / "t3.0.journal").write_bytes(b"x" * 100)
    with pytest.raises(NotAuthentic):
        read_journal(tmp_path / "t3.0.journal", KEY)


def test_nothing_readable_is_in_the_file(tmp_path: Path) -> None:
    assert b"aaaa" not in written(tmp_path / "t1.0.journal").read_bytes()


def test_a_file_is_never_written_over(tmp_path: Path) -> None:
    written(tmp_path / "t1.0.journal")
    with pytest.raises(FileExistsError):
        Journal(tmp_path / "t1.0.journal", KEY)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(at=st.integers(0, 219), number=st.integers(1, 98), flip=st.integers(1, 255))
def test_a_flipped_byte_costs_its_chunk_alone_and_is_told(
    tmp_path: Path, at: int, number: int, flip: int
) -> None:
    """In the ciphertext as well as in the length."""
    path = tmp_path / "t1.0.journal"
    chunks = hundred(path)
    content = bytearray(path.read_bytes())
    content[24 + number * 220 + at] ^= flip
    path.write_bytes(content)
    found = read_journal(path, KEY)
    assert found.records == chunks[:number] + chunks[number + 1 :]
    assert (found.torn, found.damaged) == (False, 1)


def test_a_wiped_stretch_costs_what_lay_in_it(tmp_path: Path) -> None:
    path = tmp_path / "t1.0.journal"
    chunks = hundred(path)
    content = bytearray(path.read_bytes())
    content[4096:8192] = bytes(4096)
    path.write_bytes(content)
    found = read_journal(path, KEY)
    first, last = (4096 - 24) // 220, (8191 - 24) // 220
    assert found.records == chunks[:first] + chunks[last + 1 :]
    assert (found.torn, found.damaged) == (False, last + 1 - first)
