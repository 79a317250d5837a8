"""What the process knows of itself each second: load, lag, delay, drops, disk."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from mediaserver.quality_history.figures import Difference, busy, count

LAG_SECONDS = 10
"""The board shows the longest lag of so many seconds."""
PROBE_SECONDS = 0.25
"""Between two looks at the loop's lag: waking for one costs as much as sampling ten viewers. A lag may look
shorter by so much; what holds the loop up again and again is seen nearly as long as it is."""
DISK_EVERY_SECONDS = 5.0
DISK_WINDOW_SECONDS = 600.0
DISK_MIN_SECONDS = 20.0
"""A rate from less than this is none."""
DISK_FAR_SECONDS = 90 * 86_400.0
_SEND_DROPS = ("send_failed", "queue_full")


class LoopLag:
    """How late the event loop runs what is due. ``wait`` is the clock of whoever samples each second."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=LAG_SECONDS)

    @property
    def last_seconds(self) -> float:
        """The longest of the last second."""
        return self._recent[-1] if self._recent else 0.0

    @property
    def longest_seconds(self) -> float:
        """The longest of the last ten."""
        return max(self._recent, default=0.0)

    async def wait(self, until: float) -> None:
        """Sleeps to a moment of ``time.monotonic`` and notes how late each waking was."""
        looks = _Looks(until)
        try:
            self._recent.append(await looks.over)
        finally:
            looks.end()


class _Looks:
    """Timers of the loop, one after the other: to wake a task each time would cost more."""

    def __init__(self, until: float) -> None:
        self._loop = asyncio.get_running_loop()
        self.over: asyncio.Future[float] = self._loop.create_future()
        self._until = until
        self._longest = 0.0
        self._due = time.monotonic()
        self._timer: asyncio.TimerHandle | None = None
        self._next()

    def _next(self) -> None:
        begun = time.monotonic()
        left = self._until - begun
        if left > 0:
            wait = min(left, PROBE_SECONDS)
            self._due = begun + wait
            self._timer = self._loop.call_later(wait, self._look)
        elif not self.over.done():
            self.over.set_result(self._longest)

    def _look(self) -> None:
        self._longest = max(self._longest, time.monotonic() - self._due)
        self._next()

    def end(self) -> None:
        """Nothing more is looked at."""
        if self._timer is not None:
            self._timer.cancel()


class Workers:
    """Load, delay and drops of each media worker in the last second."""

    def __init__(self) -> None:
        self.load: list[float] = []
        self.delay_p99: list[float | None] = []
        self.drops: list[float | None] = []

    def second(self, found: Difference) -> None:
        """Takes a difference of snapshots; keeps what it knew when the workers published nothing new."""
        if found.before is None or not found.fresh:
            return
        before, now = found.before.workers, found.workers
        if len(before) != len(now):
            self.load, self.delay_p99, self.drops = [], [], []
            return
        pairs = list(zip(before, now, strict=True))
        spent = zip(busy(before), busy(now), strict=True)
        self.load = [max(0.0, later - earlier) / found.seconds for earlier, later in spent]
        self.delay_p99 = [_p99(earlier, later) for earlier, later in pairs]
        self.drops = [_drops(earlier, later) for earlier, later in pairs]

    def of(self, values: Sequence[Any], worker: int) -> Any:
        """One worker's value of one of the lists; None when not known."""
        return values[worker] if worker < len(values) else None


def _p99(before: Mapping[str, object], now: Mapping[str, object]) -> float | None:
    """The bucket bound that 99 of 100 packets stayed below; None when none were forwarded."""
    if "forward_delay" not in before or "forward_delay" not in now:
        return None
    bounds, later, _ = cast("tuple[list[float], list[int], float]", now["forward_delay"])
    _, earlier, _ = cast("tuple[list[float], list[int], float]", before["forward_delay"])
    grown = [b - a for a, b in zip(earlier, later, strict=True)]
    if not grown or grown[-1] <= 0:
        return None
    place = next(index for index, sum_ in enumerate(grown) if sum_ >= 0.99 * grown[-1])
    return bounds[min(place, len(bounds) - 1)]


def _drops(before: Mapping[str, object], now: Mapping[str, object]) -> float | None:
    def total(worker: Mapping[str, object], part: str, names: Sequence[str]) -> int:
        counted = cast("Mapping[str, object]", worker.get(part, {}))
        return sum(count(counted, name) for name in names)

    sent = total(now, "counters", ["datagrams_out"]) - total(before, "counters", ["datagrams_out"])
    lost = total(now, "drops", _SEND_DROPS) - total(before, "drops", _SEND_DROPS)
    return None if sent <= 0 and lost <= 0 else max(0, lost) / max(1, sent + lost)


class Disk:
    """Free bytes of the data folder's disk and when they will be used up."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: deque[tuple[float, int]] = deque()

    @property
    def free_bytes(self) -> int | None:
        """As last seen."""
        return self._seen[-1][1] if self._seen else None

    @property
    def forecast_seconds(self) -> float | None:
        """At the rate of the last ten minutes; None when the disk does not fill within three months."""
        if not self._seen or (span := self._seen[-1][0] - self._seen[0][0]) < DISK_MIN_SECONDS:
            return None
        used = self._seen[0][1] - self._seen[-1][1]
        if used <= 0:
            return None
        left = self._seen[-1][1] * span / used
        return left if left < DISK_FAR_SECONDS else None

    def saw(self, now: float, free: int) -> None:
        """One look. ``now``: any steady clock, in seconds."""
        self._seen.append((now, free))
        while now - self._seen[0][0] > DISK_WINDOW_SECONDS:
            self._seen.popleft()

    async def run(self) -> None:
        """Looks until cancelled; a disk that does not answer holds up nothing else."""
        while True:
            try:
                usage = await asyncio.to_thread(shutil.disk_usage, self._folder)
                self.saw(time.monotonic(), usage.free)
            except OSError:
                pass  # the folder comes back, or `loupe doctor` says why not
            await asyncio.sleep(DISK_EVERY_SECONDS)
