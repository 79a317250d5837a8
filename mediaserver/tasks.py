"""Work that runs beside: when it is due, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any


async def end_tasks(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancels them and waits until all are over. What they raise is not raised here."""
    ending = list(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)


def next_beat(now: float, every_seconds: float) -> float:
    """When what is done so often is due next.

    All that is done as often is due together: to wake costs more than many a second's work.
    """
    return (now // every_seconds + 1) * every_seconds
