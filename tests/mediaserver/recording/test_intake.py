"""From taps to a journal: a tick is a chunk, and what could not be written waits."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from mediaserver.ids import TrackId
from mediaserver.recording.intake import Intake
from mediaserver.recording.journal import Journal, read_journal
from mediaserver.vault import DataKey

KEY = DataKey(bytes(range(32)))


@pytest.fixture
def intake(tmp_path: Path) -> Intake:
    return Intake(
        TrackId("t1"), lambda track, number: Journal(tmp_path / f"{track}.{number}.journal", KEY), 3
    )


def tap(intake: Intake) -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    intake.add(ours)
    return theirs


def test_a_tick_is_one_chunk_and_a_roll_a_new_file(tmp_path: Path, intake: Intake) -> None:
    with tap(intake) as end:
        end.send(b"one")
        end.send(b"two")
        intake.drain()
        intake.drain()
        end.send(b"three")
        intake.roll()
        intake.drain()
    assert read_journal(tmp_path / "t1.3.journal", KEY).records == [b"onetwo"]
    assert read_journal(tmp_path / "t1.4.journal", KEY).records == [b"three"]
    live = [intake.live]
    intake.drain()
    live.append(intake.live)
    assert live == [True, False]
    intake.close()
    assert len(intake.retired) == 2


def test_two_taps_of_a_track_share_its_journal(tmp_path: Path, intake: Intake) -> None:
    with tap(intake) as first, tap(intake) as second:
        first.send(b"old")
        second.send(b"new")
        intake.drain()
    intake.close()
    assert read_journal(tmp_path / "t1.3.journal", KEY).records == [b"oldnew"]


def test_what_found_no_room_is_written_later(tmp_path: Path) -> None:
    broken = True

    def open_journal(track: TrackId, number: int) -> Journal:
        if broken:
            raise OSError(28, "full")
        return Journal(tmp_path / f"{track}.{number}.journal", KEY)

    intake = Intake(TrackId("t1"), open_journal, 0)
    with tap(intake) as end:
        end.send(b"kept")
        with pytest.raises(OSError, match="full"):
            intake.drain()
        broken = False
        intake.drain()
    intake.close()
    assert read_journal(tmp_path / "t1.0.journal", KEY).records == [b"kept"]
