"""What is taken goes to the location in use; what its disk refuses waits for the next."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mediaserver.ids import RecordingId, TrackId
from mediaserver.recording import location as module
from mediaserver.recording.folder import RecordingFolder
from mediaserver.recording.journal import Journal, read_journal
from mediaserver.recording.location import Locations, Stalled
from mediaserver.recording.manifest import Manifest
from mediaserver.recording.running import Running
from mediaserver.vault import Vault

VAULT = Vault([bytes(range(32))])
ID, TRACK = RecordingId("r1"), TrackId("t1")
BEGIN = {"room": "", "procedure": "p1", "monotonic_micros": 7, "unix_micros": 8}


class World:
    """A recording with one track, over two locations."""

    def __init__(self, folder: Path) -> None:
        self.locations = Locations((folder / "first", folder / "second"))
        self.running = Running.open(ID, BEGIN, self.locations.all[0], VAULT)
        self.intake = self.running.intake(TRACK, {"kind": "video"}, 0)
        ours, self.tap = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.intake.add(ours)

    def send(self, content: bytes) -> None:
        self.tap.send(content)
        self.intake.take(1.0)

    def write(self) -> int:
        return self.running.write([self.intake])

    def records(self, location: int) -> list[bytes]:
        """In journals there."""
        folder = RecordingFolder.of(self.locations.all[location].root, ID)
        files = folder.journals().get(TRACK, [])
        return [one for _, path in files for one in read_journal(path, self.running.key).records]

    def lines(self) -> list[str]:
        lines = Manifest(RecordingFolder.of(self.locations.all[0].root, ID), VAULT).lines()
        return [line["type"] for line in lines]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.tap.close()
    made.running.close()
    made.locations.end()


def test_a_full_disk_costs_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.send(b"one")
    assert world.write() == 3
    world.send(b"two")
    with monkeypatch.context() as patch:

        def full(*_: Any) -> None:
            raise OSError(28, "full")

        patch.setattr(Journal, "append", full)
        with pytest.raises(OSError, match="full"):
            world.write()
    assert world.running.waiting_seconds(3.5) == 2.5
    world.running.move(world.locations.all[1])
    assert world.write() == 3
    assert (world.records(0), world.records(1)) == ([b"one"], [b"two"])
    assert world.running.waiting_seconds(3.5) == 0.0


def test_what_a_stalled_disk_holds_is_written_elsewhere_and_its_late_answer_changes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    hangs, append = threading.Event(), Journal.append
    monkeypatch.setattr(module, "STALL_SECONDS", 0.2)

    def stall(journal: Journal, content: bytes) -> None:
        if "first" in str(journal.path):
            hangs.wait()
        append(journal, content)

    monkeypatch.setattr(Journal, "append", stall)
    world.send(b"one")
    with pytest.raises(Stalled):
        world.write()
    world.running.note({"type": "event", "at": 1.0, "name": "joined"})
    assert not world.running.write_notes(), "the manifest's disk is the one that hangs"
    world.running.move(world.locations.all[1])
    assert world.write() == 3
    world.send(b"two")
    hangs.set()
    while not world.running.write_notes():
        pass
    assert world.write() == 3
    assert world.records(1) == [b"one", b"two"]
    assert world.records(0) == [b"one"], "sealing takes every packet once"
    assert world.lines() == ["begin", "track", "event"]


def test_a_journal_that_a_stalled_disk_opened_too_late_keeps_nothing_from_being_written(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    hangs, append = threading.Event(), Journal.append
    with monkeypatch.context() as patch:
        patch.setattr(module, "STALL_SECONDS", 0.1)

        def stall(journal: Journal, content: bytes) -> None:
            hangs.wait()
            append(journal, content)

        patch.setattr(Journal, "append", stall)
        world.send(b"one")
        with pytest.raises(Stalled):
            world.write()
    hangs.set()
    while world.running.where.stalled:
        pass
    world.send(b"two")
    assert world.write() == 6
    assert world.records(0) == [b"one", b"onetwo"], "sealing takes every packet once"
    world.running.roll()
    world.send(b"three")
    assert world.write() == 5
    assert world.records(0)[-1] == b"three"


def test_a_disk_that_was_full_when_a_journal_began_is_written_to_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        def full(*_: Any) -> None:
            raise OSError(28, "full")

        patch.setattr(Journal, "append", full)
        world.send(b"one")
        for _ in range(3):
            with pytest.raises(OSError, match="full"):
                world.write()
    assert world.write() == 3
    assert world.records(0) == [b"one"]


def test_another_recorder_goes_on_where_one_ended(world: World) -> None:
    again = Running.open(ID, BEGIN, world.locations.all[0], VAULT)
    assert again.key.raw == world.running.key.raw
    assert again.known == {TRACK}
    again.intake(TRACK, {"kind": "video"}, 5)
    assert world.lines() == ["begin", "track"]


def test_it_lives_while_something_may_come_or_waits(world: World) -> None:
    assert world.running.live
    world.send(b"last")
    world.tap.close()
    world.intake.take(1.0)
    assert world.running.live
    world.write()
    assert not world.running.live
