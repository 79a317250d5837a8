"""The recorder process: what it takes survives its end at any moment, and the end of who started it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import threading
import time
from pathlib import Path

import pytest

from mediaserver.ids import RecordingId
from mediaserver.recording import location
from mediaserver.recording.folder import RecordingFolder
from mediaserver.recording.manifest import verify
from mediaserver.recording.recorder import TURNS, Recorder
from mediaserver.recording.records import RecordKind, frame
from mediaserver.recording.seal import Order, seal
from mediaserver.recording.sealer import Sealer
from mediaserver.vault import Vault
from tests.feeding import STEP, Feeder, pictures
from tests.recorded import START_MICROS, Source, encoded

ALLOWED_SECONDS = 0.3


async def test_what_is_fed_is_sealed_whole(tmp_path: Path) -> None:
    async with Feeder(tmp_path) as feeder:
        feeder.track("t1")
        await feeder.feed("t1", 1.5)
        reader = await feeder.stop()
        assert reader.state == "sealed"
        assert pictures(reader) == feeder.sent


async def kill_while_recording(folder: Path, seed: int) -> float:
    """Kills the recorder once at a random moment; seconds of pictures that are missing."""
    chance = random.Random(seed)
    async with Feeder(folder) as feeder:
        feeder.track("t1")
        feeding = asyncio.create_task(feeder.feed("t1", 2.5, only_keyframe=True))
        await asyncio.sleep(0.3 + chance.random())
        feeder.kill()
        await feeding
        reader = await feeder.stop()
        assert feeder.process.starts == 2
        assert feeder.dropped == 0
        assert verify(RecordingFolder(feeder.roots[0] / feeder.recording), feeder.vault).closed
        (segment,) = reader.segments(reader.tracks[0])
        assert len(segment.keyframes) == 1
        return (feeder.sent - pictures(reader)) * STEP


@pytest.mark.parametrize("seed", range(4))
async def test_a_killed_recorder_loses_next_to_nothing(tmp_path: Path, seed: int) -> None:
    assert await kill_while_recording(tmp_path, seed) <= ALLOWED_SECONDS


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_fifty_kills_at_random_moments(tmp_path: Path) -> None:
    lost: list[float] = []
    for first in range(0, 50, 5):
        folders = [tmp_path / str(seed) for seed in range(first, first + 5)]
        for folder in folders:
            folder.mkdir()
        kills = (kill_while_recording(folder, 1_000 + int(folder.name)) for folder in folders)
        lost += await asyncio.gather(*kills)
    print(f"lost at 50 kills: worst {max(lost):.3f} s, in all {sum(lost):.3f} s")
    assert max(lost) <= ALLOWED_SECONDS


async def test_a_recorder_whose_server_is_gone_writes_what_waits_and_the_next_seals_it_as_it_is_told(
    tmp_path: Path,
) -> None:
    async with Feeder(tmp_path, left_state="withdrawn") as feeder:
        feeder.track("t1")
        await feeder.feed("t1", 1.0)
        # As when the server was killed: its sockets close, and nobody says stop.
        pid = feeder.process.pid
        for pair in feeder.taps.values():
            pair[1].close()
        control = feeder.process._control
        assert control is not None
        feeder.recording, abandoned = "rnext", feeder.recording
        control.shutdown(2)
        await feeder.told(lambda m: m["event"] == "sealed" and m["recording"] == abandoned)
        assert feeder.process.pid != pid
        feeder.recording = abandoned
        reader = feeder.read()
        assert reader.state == "withdrawn"
        assert pictures(reader) == feeder.sent
        feeder.recording = "rnext"
        await feeder.stop()


async def test_a_withdrawal_is_sealed_and_marked_at_once(tmp_path: Path) -> None:
    async with Feeder(tmp_path) as feeder:
        feeder.track("t1")
        await feeder.feed("t1", 0.5)
        begun = feeder.axis()
        reader = await feeder.stop("withdrawn")
        assert reader.state == "withdrawn"
        assert feeder.axis() - begun < 10.0


def test_a_recording_ends_once_its_manifest_knows_every_track_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A track that began while the manifest's disk hung would otherwise never be sealed."""
    monkeypatch.setattr(location, "STALL_SECONDS", 0.1)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    vault, roots = Vault([bytes(range(32))]), (tmp_path / "first", tmp_path / "second")
    recorder = Recorder(theirs, vault, roots, Sealer(["--data", str(tmp_path)]))
    ours.setblocking(False)
    begin = {"room": "", "procedure": "p1", "monotonic_micros": START_MICROS, "unix_micros": 8}
    recorder._order({"do": "start", "recording": "r1", "begin": begin}, [])
    hang, home = threading.Event(), recorder._locations.all[0]
    with pytest.raises(location.Stalled):
        home.do(hang.wait)
    tap, end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    track = {
        "kind": "video", "codec": "VP8", "clock_rate": 90_000,
        "participant": "p", "label": "", "source_type": "endoscope",
    }  # fmt: skip
    recorder._order({"do": "track", "recording": "r1", "track": "t1", "source": track}, [end.detach()])
    source = Source()
    for record in [source.begin(), *source.stream(encoded("VP8", 30))]:
        tap.send(record)
    tap.close()
    recorder._turn(time.monotonic())
    recorder._order({"do": "stop", "recording": "r1", "state": "sealed"}, [])
    recorder._turn(time.monotonic() + 5)
    assert "stopped" not in told(ours), "the line of its track waits"
    hang.set()
    while home.stalled:
        pass
    recorder._turn(time.monotonic() + 5)
    assert "stopped" in told(ours)
    folder = RecordingFolder.find(roots, RecordingId("r1"))
    outcome = seal(Order(folder, state="sealed"), vault)
    recorder._sealer.close(10.0)
    recorder._locations.end()
    assert [line["pictures"] for line in outcome.segments] == [30]


def test_what_found_its_tap_full_is_told_once(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    recorder = Recorder(theirs, Vault([bytes(range(32))]), (tmp_path,), Sealer(["--data", str(tmp_path)]))
    begin = {"room": "", "procedure": "p1", "monotonic_micros": START_MICROS, "unix_micros": 8}
    recorder._order({"do": "start", "recording": "r1", "begin": begin}, [])
    tap, end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    order = {"do": "track", "recording": "r1", "track": "t1", "source": {"kind": "video"}}
    recorder._order(order, [end.detach()])
    tap.send(frame(RecordKind.DROPPED, (41).to_bytes(8, "big")))
    recorder._turn(0.0)
    assert "missed" in told(ours)
    recorder._turn(0.0)
    assert "missed" not in told(ours)
    tap.close()
    recorder._locations.end()
    ours.close()


def test_many_tracks_are_written_in_turns_and_each_once_in_a_tick(tmp_path: Path) -> None:
    """All at once would keep a processor from whatever is forwarded."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    recorder = Recorder(theirs, Vault([bytes(range(32))]), (tmp_path,), Sealer(["--data", str(tmp_path)]))
    begin = {"room": "", "procedure": "p1", "monotonic_micros": START_MICROS, "unix_micros": 8}
    for room in ("r1", "r2"):
        recorder._order({"do": "start", "recording": room, "begin": begin}, [])
    taps = []
    for number in range(2 * TURNS + 1):
        tap, end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        taps.append(tap)
        room = "r1" if number < TURNS + 2 else "r2"
        order = {"do": "track", "recording": room, "track": f"t{number}", "source": {"kind": "video"}}
        recorder._order(order, [end.detach()])
    recorder._turn(0.0)  # the tick in which they came
    written = []
    for _ in range(2):
        for tap in taps:
            tap.send(b"records")
        before = recorder._written
        for _ in range(TURNS):
            recorder._turn(0.0)
            written.append((recorder._written - before) // len(b"records"))
            before = recorder._written
    assert written == [3, *[2] * (TURNS - 1)] * 2
    for tap in taps:
        tap.close()
    recorder._locations.end()
    ours.close()


def test_it_goes_back_to_a_disk_that_is_well_again_and_fills_the_ballast(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    roots = (tmp_path / "first", tmp_path / "second")
    for root in roots:
        root.mkdir()
    recorder = Recorder(theirs, Vault([bytes(range(32))]), roots, Sealer(["--data", str(tmp_path)]))
    recorder._leave(recorder._locations.current, OSError(28, "full"))
    recorder._watch(0.0)
    assert (recorder._locations.number, recorder._ballast.path.exists()) == (1, False)
    recorder._watch(location.HEALTHY_SECONDS)
    assert (recorder._locations.number, recorder._ballast.path.exists()) == (0, True)
    assert [event for event in told(ours) if event.startswith("disk")] == ["disk_full", "disk_back"]
    recorder._locations.end()


def told(control: socket.socket) -> list[str]:
    found = []
    with contextlib.suppress(BlockingIOError):
        while True:
            found.append(json.loads(control.recv(65_536))["event"])
    return found
