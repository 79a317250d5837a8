"""What moved to object storage is read from there, by range, as if it were still here."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mediaserver.config import Storage
from mediaserver.recording.folder import RecordingFolder
from mediaserver.recording.manifest import Altered, End, authentic_lines
from mediaserver.recording.reader import Recording
from mediaserver.review import opening
from mediaserver.review.opening import open_recording
from mediaserver.store.expected import Expected
from mediaserver.store.objects import Objects, object_key
from tests.mediaserver.review.recorded import VAULT, theatre


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def move(recording: Recording, folder: Path, objects: Objects) -> None:
    """As the store does once a segment is read back."""
    for file in sorted((folder / "segments").rglob("*.enc")):
        objects.put(object_key(recording.id, file, folder), file, _sha256(file.read_bytes()))
        file.unlink()


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    (tmp_path / "share").mkdir()
    opened = Objects.open(Storage(url=f"file://{tmp_path / 'share'}"))
    assert opened is not None
    return opened


def test_moved_segments_read_as_before(
    tmp_path: Path, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "OPEN_OBJECTS", 1)
    recording = theatre(tmp_path / "recordings")
    folder = RecordingFolder.of(tmp_path / "recordings", recording.id)
    before = {
        (track.id, one.number): recording.read(one, 0, one.size)
        for track in recording.tracks
        for one in recording.segments(track)
    }
    move(recording, folder.path, objects)
    moved = open_recording(folder, VAULT, objects)
    for _ in range(2):
        for track in moved.tracks:
            for one in moved.segments(track):
                whole = before[track.id, one.number]
                assert moved.read(one, 0, one.size) == whole
                assert moved.read(one, 100, 50) == whole[100:150]
    scope = moved.tracks[0]
    moved.check(moved.segments(scope)[0])
    objects.put(object_key(moved.id, folder.segment(scope.id, 0, "webm"), folder.path), b"x", _sha256(b"x"))
    with pytest.raises(Altered, match="segment 0 of track t-cam-a"):
        moved.check(moved.segments(scope)[0])
    with pytest.raises(FileNotFoundError):
        open_recording(folder, VAULT, None).read(moved.segments(moved.tracks[0])[0], 0, 1)


def rewrite(folder: RecordingFolder, line: int, old: bytes, new: bytes) -> None:
    """As somebody would without the key."""
    lines = folder.manifest.read_bytes().splitlines(keepends=True)
    assert old in lines[line]
    lines[line] = lines[line].replace(old, new)
    folder.manifest.write_bytes(b"".join(lines))


@pytest.fixture
def folder(tmp_path: Path) -> RecordingFolder:
    return RecordingFolder.of(tmp_path, theatre(tmp_path).id)


def test_one_that_is_whole_says_so(folder: RecordingFolder) -> None:
    lines, end = authentic_lines(folder, VAULT)
    segments = {(one["track"], one["number"]): one["sha256"] for one in lines if one["type"] == "segment"}
    opened = open_recording(folder, VAULT, None, Expected(ended=True, end=end, segments=segments))
    assert opened.altered is None
    opened.check_manifest()
    for track in opened.tracks:
        for segment in opened.segments(track):
            opened.check(segment)


@pytest.mark.parametrize(
    ("line", "old", "new", "told"),
    [
        (5, b'"start":0.0', b'"start":1.0', "manifest line 6 is not as it was signed"),
        (1, b'"source_type":"endoscope"', b'"source_type":"room"', "manifest line 2 is not"),
    ],
)
def test_one_that_was_altered_is_opened_and_says_what(
    folder: RecordingFolder, line: int, old: bytes, new: bytes, told: str
) -> None:
    rewrite(folder, line, old, new)
    opened = open_recording(folder, VAULT, None)
    assert opened.altered is not None
    assert told in opened.altered
    assert len(opened.tracks) == 3, "as far as it can be read"
    with pytest.raises(Altered, match=told):
        opened.check_manifest()


def test_one_whose_lines_make_no_sense_is_not_opened(folder: RecordingFolder) -> None:
    rewrite(folder, 5, b'"start"', b'"begin"')
    with pytest.raises(Altered, match="manifest line 6"):
        open_recording(folder, VAULT, None)


def test_a_cut_end_is_seen_by_what_the_database_knows(folder: RecordingFolder) -> None:
    lines = folder.manifest.read_bytes().splitlines(keepends=True)
    folder.manifest.write_bytes(b"".join(lines[:-1]))
    assert open_recording(folder, VAULT, None).altered is None, "whole in itself"
    known = Expected(ended=True, end=End("sealed", "00" * 32, 4))
    assert open_recording(folder, VAULT, None, known).altered is not None
