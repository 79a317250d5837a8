"""Who makes a report or an export now: each computes for seconds on cores that media needs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from mediaserver.errors import LimitReached

AT_ONCE = 2
MAX_WAITING = 6
"""More operators than a server has; who comes then is told to come again."""


class Exports:
    """One process's."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Waits for one's turn, and holds it. Raises ``LimitReached`` where too many wait."""
        if self._waiting >= MAX_WAITING:
            raise LimitReached("others make reports now; try again in a minute")
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._turns.release()
