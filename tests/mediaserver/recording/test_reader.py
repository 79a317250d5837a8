"""A recording as it is read: tracks, segments, events, and ranges of plain bytes."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path

import pytest

from mediaserver.recording.reader import Recording
from mediaserver.vault import NotAuthentic, Vault
from tests.recorded import Shelf, Source, encoded


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    made = Shelf(tmp_path)
    made.track("t1")
    made.track("t2", "OPUS")
    picture, sound = Source(), Source("OPUS", ssrc=2)
    made.journal("t1", [picture.begin(), *picture.stream(encoded("VP8", 60)), picture.muted(2.0, True)])
    made.journal("t2", [sound.begin(), *sound.stream(encoded("OPUS", 100), step=0.02)])
    made.manifest.append({"type": "event", "at": 1.0, "name": "joined", "value": "p9"})
    return made


def test_state_and_contents(shelf: Shelf) -> None:
    assert shelf.open().state == "recording"
    shelf.manifest.append({"type": "stopped", "state": "sealed"})
    assert shelf.open().state == "sealing"
    shelf.seal(state="sealed")
    recording = shelf.open()
    assert (recording.state, recording.room, recording.procedure) == ("sealed", "theatre", "p1")
    assert recording.started_at.tzinfo is UTC
    assert [(track.kind, track.codec) for track in recording.tracks] == [("video", "VP8"), ("audio", "OPUS")]
    assert recording.duration_seconds == pytest.approx(2.02, abs=0.01)
    names = [(round(event.at_seconds), event.name, event.value) for event in recording.events]
    assert (1, "joined", "p9") in names


def test_any_range_of_a_segment(shelf: Shelf) -> None:
    shelf.seal(state="sealed")
    recording = shelf.open()
    (segment,) = recording.segments(recording.tracks[0])
    whole = recording.read(segment, 0, segment.size)
    assert len(whole) == segment.size
    assert recording.read(segment, 100, 50) == whole[100:150]
    assert recording.read(segment, segment.size - 3, 50) == whole[-3:]
    assert recording.read(segment, segment.size, 50) == b""


def test_without_its_key_nothing_is_read(shelf: Shelf) -> None:
    with pytest.raises(NotAuthentic):
        Recording.open(shelf.folder.path, Vault([bytes(range(32))]))
    (shelf.folder.path / "key").unlink()
    with pytest.raises(OSError, match="key"):
        Recording.open(shelf.folder.path, shelf.vault)
