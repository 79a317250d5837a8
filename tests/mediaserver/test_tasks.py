"""Work beside ends, whatever it does about it."""

from __future__ import annotations

import asyncio

from mediaserver.tasks import end_tasks


async def test_all_are_over_and_what_they_raise_is_theirs() -> None:
    told: list[str] = []

    async def cleans_up() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            told.append("cleaned up")

    async def fails() -> None:
        raise ValueError

    work = [asyncio.create_task(cleans_up()), asyncio.create_task(fails())]
    await asyncio.sleep(0)
    await end_tasks(iter(work))
    assert told == ["cleaned up"]
    assert [task.cancelled() for task in work] == [True, False]
    await end_tasks([])
