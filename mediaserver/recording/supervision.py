"""Work that must go on while the server runs: begun again when it fails, and known while it does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final, TypeVar

import structlog

from mediaserver.tasks import end_tasks

RETRY_SECONDS: Final = 1.0
"""Between a failure and the next attempt."""

T = TypeVar("T")

_log = structlog.stdlib.get_logger(__name__)


class Supervision:
    """Reads streams, each in a task of its own, and hands on what comes."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._failed: set[str] = set()

    @property
    def whole(self) -> bool:
        """Nothing that was begun has ended or waits to be begun again."""
        return not self._failed and not any(task.done() for task in self._tasks.values())

    def begin(self, name: str, stream: Callable[[], AsyncIterator[T]], take: Callable[[T], object]) -> None:
        """Reads until ``end``. What one piece raises is logged and costs that piece alone."""
        self._tasks[name] = asyncio.get_running_loop().create_task(self._keep(name, stream, take))

    async def end(self) -> None:
        """Ends all tasks. Idempotent."""
        tasks, self._tasks = self._tasks, {}
        await end_tasks(tasks.values())

    async def _keep(
        self, name: str, stream: Callable[[], AsyncIterator[T]], take: Callable[[T], object]
    ) -> None:
        while True:
            try:
                async for one in stream():
                    self._failed.discard(name)
                    self._take(name, one, take)
                return
            except Exception as error:  # whatever it is, it must not end what keeps a recording going
                _log.error("recording not supervised", what=name, reason=type(error).__name__)
            self._failed.add(name)
            await asyncio.sleep(RETRY_SECONDS)

    def _take(self, name: str, one: T, take: Callable[[T], object]) -> None:
        try:
            take(one)
        except Exception as error:  # the next must be heard
            _log.error("message of the recorder not taken", what=name, reason=type(error).__name__)
