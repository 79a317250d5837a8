"""Work beside ends, whatever it does about it."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from mediaserver.tasks import end_tasks, next_beat


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


@given(st.integers(0, 10**9), st.sampled_from([0.25, 1.0, 10.0]))
def test_what_is_done_as_often_is_due_together(milliseconds: int, every: float) -> None:
    now = milliseconds / 1000
    due = next_beat(now, every)
    assert now < due <= now + every
    assert due == next_beat((now + due) / 2, every)
    assert due % every == 0
