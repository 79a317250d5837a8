"""What somebody must look at again: a set, and a wake-up for whoever looks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class Attention(Generic[T]):
    """Many may add, one takes. What is added twice before it is taken is looked at once."""

    def __init__(self) -> None:
        self._waiting: set[T] = set()
        self._wake = asyncio.Event()

    def add(self, one: T) -> None:
        """Needs to be looked at."""
        self._waiting.add(one)
        self._wake.set()

    def add_all(self, several: Iterable[T]) -> None:
        """Each of them does."""
        for one in several:
            self.add(one)

    def take(self) -> set[T]:
        """All that waits; nothing waits afterwards."""
        taken, self._waiting = self._waiting, set()
        self._wake.clear()
        return taken

    async def wait(self, seconds: float) -> None:
        """Returns when something waits, after ``seconds`` at the latest."""
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                await self._wake.wait()
        except TimeoutError:
            pass
