"""A disk that stops answering, without any error, while something is recorded: gone on with elsewhere."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mediaserver.recording.folder import RecordingFolder
from mediaserver.recording.location import STALL_SECONDS
from mediaserver.recording.manifest import verify
from tests.feeding import Feeder, pictures

SIZE_MIB = 48
ELSEWHERE_SECONDS = 2.0
"""From the moment that the disk is known to have stalled."""

pytestmark = pytest.mark.slow


def ran(*command: str) -> bool:
    return subprocess.run(command, check=False, capture_output=True, timeout=20).returncode == 0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """An ext4 file system, which Linux can freeze: whoever writes to it then waits until it is thawed."""
    image, folder = tmp_path / "image", tmp_path / "disk"
    folder.mkdir()
    with image.open("wb") as stream:
        stream.truncate(SIZE_MIB << 20)
    if not (ran("mkfs.ext4", "-q", str(image)) and ran("mount", "-o", "loop", str(image), str(folder))):
        pytest.skip("mounting a file system needs a privileged user and ext4")
    try:
        yield folder
    finally:
        ran("fsfreeze", "-u", str(folder))
        assert ran("umount", "-l", str(folder))


@contextmanager
def frozen(folder: Path) -> Iterator[None]:
    if not ran("fsfreeze", "-f", str(folder)):
        pytest.skip("this system does not freeze file systems")
    try:
        yield
    finally:
        assert ran("fsfreeze", "-u", str(folder))


async def test_recording_goes_on_elsewhere_and_nothing_is_lost(tmp_path: Path, disk: Path) -> None:
    second = tmp_path / "second"
    async with Feeder(tmp_path, roots=(disk / "recordings", second)) as feeder:
        feeder.track("t1")
        feeding = asyncio.create_task(feeder.feed("t1", 8.0))
        await asyncio.sleep(1.5)
        with frozen(disk):
            begun = time.monotonic()
            told = await feeder.told(lambda m: m["event"] == "disk_stalled", 10)
            known = time.monotonic()
            assert told == {"event": "disk_stalled", "location": 0, "elsewhere": True}
            place = RecordingFolder(second / feeder.recording)
            while not place.journals():
                assert time.monotonic() - known < ELSEWHERE_SECONDS
                await asyncio.sleep(0.01)
            print(f"known after {known - begun:.2f} s, elsewhere {time.monotonic() - known:.2f} s later")
            assert known - begun < 2 * STALL_SECONDS
            await asyncio.sleep(1.0)
        await feeding
        assert feeder.dropped == 0
        reader = await feeder.stop()
        assert feeder.process.starts == 1
        assert pictures(reader) == feeder.sent
        assert verify(RecordingFolder(disk / "recordings" / feeder.recording), feeder.vault).closed
