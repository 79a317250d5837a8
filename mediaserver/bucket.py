"""A token bucket: so many per second, with a burst. No clock: ``now`` is an argument."""

from __future__ import annotations


class TokenBucket:
    """``rate_per_second`` on average, ``burst`` at once."""

    __slots__ = ("_burst", "_level", "_rate_per_second", "_seen")

    def __init__(self, rate_per_second: float, burst: float) -> None:
        self._rate_per_second = rate_per_second
        self._burst = burst
        self._level = burst
        self._seen: float | None = None

    def take(self, now: float, amount: float = 1.0) -> bool:
        """Takes ``amount`` if it is there. ``now`` in seconds of any steady clock."""
        if self._seen is not None:
            self._level = min(self._burst, self._level + (now - self._seen) * self._rate_per_second)
        self._seen = now
        if self._level < amount:
            return False
        self._level -= amount
        return True
