"""What was read lately, so that a page that asks every other second leaves one record and not thousands."""

from __future__ import annotations

from typing import TypeAlias

from aiohttp import web

Reading: TypeAlias = tuple[str, ...]
"""Who read or was refused, of which room, what, and of which time."""

QUIET_SECONDS = 10 * 60.0
MAX_REMEMBERED = 10_000


class Readings:
    """One process's. Bounded: what does not fit is news each time, so that no record is ever missing."""

    def __init__(self) -> None:
        self._told_at: dict[Reading, float] = {}

    def is_news(self, reading: Reading, now: float) -> bool:
        """Whether to record it: the first time, and again after ten minutes. ``now``: any steady clock."""
        told_at = self._told_at.get(reading)
        if told_at is not None and now - told_at < QUIET_SECONDS:
            return False
        if len(self._told_at) >= MAX_REMEMBERED:
            self._told_at = {one: at for one, at in self._told_at.items() if now - at < QUIET_SECONDS}
        if len(self._told_at) < MAX_REMEMBERED:
            self._told_at[reading] = now
        return True


READINGS: web.AppKey[Readings] = web.AppKey("readings", Readings)
