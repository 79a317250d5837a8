"""The recorder process: what it takes survives its end at any moment, and the end of who started it."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from mediaserver.recording.folder import RecordingFolder
from mediaserver.recording.manifest import verify
from tests.feeding import STEP, Feeder, pictures

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
