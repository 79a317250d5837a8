"""Reports take turns, and too many who wait are told to come again."""

from __future__ import annotations

import asyncio

import pytest

from mediaserver.errors import LimitReached
from signalling.exports import AT_ONCE, MAX_WAITING, Exports


async def test_some_work_others_wait_and_the_rest_come_again() -> None:
    exports, done = Exports(), asyncio.Event()
    working = 0

    async def one() -> None:
        nonlocal working
        async with exports.turn():
            working += 1
            await done.wait()

    tasks = [asyncio.create_task(one()) for _ in range(AT_ONCE + MAX_WAITING)]
    await asyncio.sleep(0)
    assert working == AT_ONCE
    with pytest.raises(LimitReached):
        await one()
    tasks[-1].cancel()
    done.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert working == AT_ONCE + MAX_WAITING - 1
    await one()
