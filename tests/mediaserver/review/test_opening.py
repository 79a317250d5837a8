"""What moved to object storage is read from there, by range, as if it were still here."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mediaserver.config import Storage
from mediaserver.recording.folder import RecordingFolder
from mediaserver.recording.reader import Recording
from mediaserver.review import opening
from mediaserver.review.opening import open_recording
from mediaserver.store.objects import Objects, object_key
from tests.mediaserver.review.recorded import VAULT, theatre


def move(recording: Recording, folder: Path, objects: Objects) -> None:
    """As the store does once a segment is read back."""
    for file in sorted((folder / "segments").rglob("*.enc")):
        objects.put(object_key(recording.id, file, folder), file, hashlib.sha256(file.read_bytes()).digest())
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
    with pytest.raises(FileNotFoundError):
        open_recording(folder, VAULT, None).read(moved.segments(moved.tracks[0])[0], 0, 1)
