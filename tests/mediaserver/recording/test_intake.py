"""From taps to chunks: a tick is a chunk, and what could not be written waits."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from mediaserver.ids import TrackId
from mediaserver.recording.intake import Intake
from mediaserver.recording.journal import Journal, read_journal
from mediaserver.recording.records import RecordKind, frame
from mediaserver.vault import DataKey

KEY = DataKey(bytes(range(32)))


@pytest.fixture
def intake() -> Intake:
    return Intake(TrackId("t1"), 3)


def tap(intake: Intake) -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    intake.add(ours)
    return theirs


def write(intake: Intake, folder: Path) -> None:
    """As a location does."""
    intake.take(1.0)
    chunk = intake.chunk()
    if chunk is not None:
        journal = chunk.journal or Journal(folder / f"{chunk.track}.{chunk.number}.journal", KEY)
        journal.append(chunk.content)
        intake.wrote(journal, chunk.number)


def test_a_tick_is_one_chunk_and_a_roll_a_new_file(tmp_path: Path, intake: Intake) -> None:
    with tap(intake) as end:
        end.send(b"one")
        end.send(b"two")
        write(intake, tmp_path)
        write(intake, tmp_path)
        end.send(b"three")
        assert intake.roll() is not None
        write(intake, tmp_path)
    assert read_journal(tmp_path / "t1.3.journal", KEY).records == [b"onetwo"]
    assert read_journal(tmp_path / "t1.4.journal", KEY).records == [b"three"]
    live = [intake.live]
    write(intake, tmp_path)
    live.append(intake.live)
    assert live == [True, False]
    assert intake.close() is not None
    assert intake.close() is None


def test_two_taps_of_a_track_share_its_journal(tmp_path: Path, intake: Intake) -> None:
    with tap(intake) as first, tap(intake) as second:
        first.send(b"old")
        second.send(b"new")
        write(intake, tmp_path)
    assert read_journal(tmp_path / "t1.3.journal", KEY).records == [b"oldnew"]


def test_what_was_not_written_waits_and_says_since_when(tmp_path: Path, intake: Intake) -> None:
    with tap(intake) as end:
        end.send(b"kept")
        intake.take(5.0)
        end.send(b"too")
        intake.take(6.0)
        since = [intake.waiting_since]
        write(intake, tmp_path)
        since.append(intake.waiting_since)
    assert since == [5.0, None]
    assert read_journal(tmp_path / "t1.3.journal", KEY).records == [b"kepttoo"]


def test_what_found_the_tap_full_is_counted(tmp_path: Path, intake: Intake) -> None:
    told = frame(RecordKind.DROPPED, (41).to_bytes(8, "big"))
    with tap(intake) as end:
        end.send(told + b"next")
        end.send(b"a packet whose fifth byte" + bytes(40))
        write(intake, tmp_path)
    assert intake.missed == 41
    assert read_journal(tmp_path / "t1.3.journal", KEY).records[0].startswith(told), "sealing tells it, too"


def test_what_can_be_written_nowhere_is_let_go(intake: Intake) -> None:
    with tap(intake) as end:
        end.send(b"lost")
        intake.take(5.0)
    intake.let_go()
    assert intake.chunk() is None
    intake.take(6.0)
    assert not intake.live
