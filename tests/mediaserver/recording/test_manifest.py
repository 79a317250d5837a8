"""The manifest: what was altered is named, what a crash left of a line is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mediaserver.recording.manifest import MAX_LINE_BYTES, Altered, Manifest, verify
from mediaserver.vault import Vault
from tests.recorded import Shelf, Source, encoded


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """Three segments of one track."""
    made = Shelf(tmp_path)
    made.track("t1")
    source = Source()
    records = [source.begin()]
    for start in (0.0, 10.0, 20.0):
        records += source.stream(encoded("VP8", 30), start)
    made.journal("t1", records)
    made.seal(state="sealed")
    return made


def test_what_is_as_it_was_sealed_verifies(shelf: Shelf) -> None:
    found = verify(shelf.folder, shelf.vault)
    assert (found.lines, found.segments, found.closed) == (6, 3, True)


@pytest.mark.parametrize("number", range(3))
def test_a_flipped_bit_names_its_segment(shelf: Shelf, number: int) -> None:
    path = shelf.folder.segment(shelf.open().tracks[0].id, number, "webm")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(Altered, match=f"segment {number} of track t1 was altered"):
        verify(shelf.folder, shelf.vault)


def test_a_missing_or_swapped_segment_is_named(shelf: Shelf) -> None:
    first, second = (shelf.folder.segment(shelf.open().tracks[0].id, n, "webm") for n in (0, 1))
    kept = first.read_bytes()
    first.write_bytes(second.read_bytes())
    with pytest.raises(Altered, match="segment 0"):
        verify(shelf.folder, shelf.vault)
    first.write_bytes(kept)
    second.unlink()
    with pytest.raises(Altered, match="segment 1 of track t1 is missing"):
        verify(shelf.folder, shelf.vault)


def test_no_line_can_be_changed_dropped_added_or_moved(shelf: Shelf) -> None:
    path = shelf.folder.manifest
    lines = path.read_bytes().splitlines(keepends=True)
    changed = json.loads(lines[2])
    changed["start"] = 5.0
    for content in (
        [*lines[:2], json.dumps(changed).encode() + b"\n", *lines[3:]],
        [*lines[:2], *lines[3:]],
        [*lines[:2], lines[3], lines[2], *lines[4:]],
        [*lines, lines[-1]],
        [*lines[:2], b"{}\n", *lines[2:]],
    ):
        path.write_bytes(b"".join(content))
        with pytest.raises(Altered, match="line"):
            verify(shelf.folder, shelf.vault)
    path.write_bytes(b"")
    with pytest.raises(Altered, match="empty"):
        verify(shelf.folder, shelf.vault)


def test_its_end_is_seen_without_its_other_lines(shelf: Shelf) -> None:
    manifest, path = Manifest(shelf.folder, shelf.vault), shelf.folder.manifest
    whole = path.read_bytes()
    assert manifest.ended()
    path.write_bytes(whole + b'{"type":"event"')
    assert manifest.ended(), "what a crash cut is no line"
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    assert not manifest.ended()
    path.write_bytes(b"x" * MAX_LINE_BYTES + b"\n")
    assert not manifest.ended()
    path.write_bytes(b"")
    assert not manifest.ended()


def test_another_key_signed_nothing_of_it(shelf: Shelf) -> None:
    with pytest.raises(Altered, match="line 1"):
        verify(shelf.folder, Vault([bytes(range(32))]))


def test_a_line_that_a_crash_cut_is_written_over(shelf: Shelf) -> None:
    path = shelf.folder.manifest
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"type":"event"')
    assert verify(shelf.folder, shelf.vault).lines == 6
    Manifest(shelf.folder, shelf.vault).append({"type": "event", "name": "x", "at": 1.0})
    assert verify(shelf.folder, shelf.vault).lines == 7


@pytest.mark.parametrize("ending", [b"x" * (MAX_LINE_BYTES + 1), b"x" * MAX_LINE_BYTES + b"\n"])
def test_nothing_is_cut_off_where_no_line_begins(shelf: Shelf, ending: bytes) -> None:
    path = shelf.folder.manifest
    content = path.read_bytes() + ending
    path.write_bytes(content)
    with pytest.raises(OSError, match="lines"):
        Manifest(shelf.folder, shelf.vault).append({"type": "event", "name": "x", "at": 1.0})
    assert path.read_bytes() == content
