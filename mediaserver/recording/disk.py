"""Room on a disk: what is kept of it for the end of recordings, and how long it will last."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

BALLAST_BYTES: Final = 256 * 1024 * 1024
"""Kept so that a full disk still takes what ends a recording; on small disks a twentieth of them."""
WATCH_SECONDS: Final = 5.0
"""How often the free space is looked at."""
WARN_SECONDS: Final = 30 * 60.0
"""A warning comes when less than this is left."""
_RATE_SECONDS: Final = 60.0
"""The rate is taken over this long."""


@dataclass(slots=True)
class Ballast:
    """A file that does nothing but hold room."""

    path: Path

    def fill(self, wanted: int = BALLAST_BYTES) -> None:
        """Makes it, where there is room for it. Never raises."""
        try:
            if self.path.exists() or not has_room(self.path.parent, wanted):
                return
            size = _share(os.statvfs(self.path.parent), wanted)
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, size)
            finally:
                os.close(descriptor)
        except OSError:
            self.path.unlink(missing_ok=True)

    def free(self) -> None:
        """Gives the room back."""
        self.path.unlink(missing_ok=True)


@dataclass(slots=True)
class Forecast:
    """How long the free space lasts at the rate of the last minute."""

    _samples: deque[tuple[float, int]] = field(default_factory=deque)

    def add(self, now: float, written: int) -> None:
        """Bytes written so far, at a moment of any clock in seconds."""
        self._samples.append((now, written))
        while self._samples[-1][0] - self._samples[0][0] > _RATE_SECONDS:
            self._samples.popleft()

    def rate(self) -> float:
        """Bytes per second."""
        (first, before), (last, after) = self._samples[0], self._samples[-1]
        return (after - before) / (last - first) if last > first else 0.0

    def seconds_left(self, free: int) -> float:
        """``inf`` while nothing is written."""
        rate = self.rate() if self._samples else 0.0
        return free / rate if rate > 0 else float("inf")


def has_room(root: Path, ballast: int = BALLAST_BYTES) -> bool:
    """For the ballast, and as much again. Raises ``OSError``."""
    stats = os.statvfs(root)
    return stats.f_bavail * stats.f_frsize >= 2 * _share(stats, ballast)


def _share(stats: os.statvfs_result, wanted: int) -> int:
    return min(wanted, stats.f_blocks * stats.f_frsize // 20)


def free_bytes(root: Path) -> int:
    """What this user may still write. Raises ``OSError``."""
    stats = os.statvfs(root)
    return stats.f_bavail * stats.f_frsize
