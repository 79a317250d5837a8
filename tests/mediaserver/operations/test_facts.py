"""What the process knows of itself: lag, load, delay, drops, and when the disk will be full."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mediaserver.operations.facts import Disk, LoopLag, Workers
from mediaserver.quality_history.figures import difference
from tests.mediaserver.seconds import Plain


async def test_a_held_up_loop_is_noticed_and_remembered() -> None:
    lag = LoopLag()
    await lag.wait(time.monotonic() + 0.15)
    calm = lag.last_seconds
    asyncio.get_running_loop().call_soon(time.sleep, 0.3)
    await lag.wait(time.monotonic() + 0.15)
    assert lag.last_seconds > 0.15
    assert lag.last_seconds > calm
    assert lag.longest_seconds == lag.last_seconds
    for _ in range(10):
        await lag.wait(time.monotonic() + 0.001)
    assert lag.longest_seconds < 0.3


@dataclass
class Snapshot:
    busy: float
    counts: list[int]
    sent: int
    failed: int
    transports: Plain = field(default_factory=Plain)
    publications: Plain = field(default_factory=Plain)
    subscriptions: Plain = field(default_factory=Plain)

    @property
    def workers(self) -> list[dict[str, object]]:
        return [
            {
                "busy_seconds": self.busy,
                "forward_delay": ([0.001, 0.05, 0.5], self.counts, 0.0),
                "counters": {"datagrams_out": self.sent},
                "drops": {"send_failed": self.failed},
            }
        ]


def test_load_delay_and_drops_are_those_of_the_last_second() -> None:
    workers = Workers()
    first = difference(Snapshot(10.0, [5000, 5000, 5000, 5000], 1000, 50), 1.0, None)
    workers.second(first)
    assert workers.load == []
    second = difference(Snapshot(10.5, [5098, 5099, 5100, 5100], 1090, 60), 1.0, first)
    workers.second(second)
    assert workers.load == [pytest.approx(0.5)]
    assert workers.delay_p99 == [0.05]
    assert workers.drops == [pytest.approx(0.1)]
    # Nothing new was published: what was known stays.
    workers.second(difference(Snapshot(10.5, [5098, 5099, 5100, 5100], 1090, 60), 1.0, second))
    assert workers.load == [pytest.approx(0.5)]


def test_the_forecast_follows_the_rate_of_the_last_minutes() -> None:
    disk = Disk(Path())
    assert (disk.free_bytes, disk.forecast_seconds) == (None, None)
    for second in range(0, 11, 5):
        disk.saw(second, 10**9 - second * 10**6)
    assert disk.forecast_seconds is None  # too short to be a rate
    for second in range(15, 61, 5):
        disk.saw(second, 10**9 - second * 10**6)
    assert disk.forecast_seconds == pytest.approx(940)
    for second in range(65, 2000, 5):
        disk.saw(second, 940 * 10**6)
    assert disk.forecast_seconds is None
    disk.saw(2000, 940 * 10**6 - 1)
    assert disk.forecast_seconds is None  # in years


async def test_a_folder_that_is_not_there_holds_up_nothing(tmp_path: Path) -> None:
    for folder, known in ((tmp_path / "gone", False), (tmp_path, True)):
        disk = Disk(folder)
        looking = asyncio.create_task(disk.run())
        for _ in range(100):
            await asyncio.sleep(0.01)
            if disk.free_bytes is not None:
                break
            if not known:
                await asyncio.sleep(0.1)
                break
        assert (disk.free_bytes is not None) is known
        assert not looking.done()
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
