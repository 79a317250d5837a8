"""What must be looked at again wakes whoever looks."""

from __future__ import annotations

import asyncio
import time

from mediaserver.attention import Attention


async def test_what_is_added_wakes_and_is_taken_once() -> None:
    attention: Attention[str] = Attention()
    waiting = asyncio.create_task(attention.wait(60))
    await asyncio.sleep(0)
    attention.add_all(["a", "b", "a"])
    await asyncio.wait_for(waiting, 5)
    assert attention.take() == {"a", "b"}
    assert attention.take() == set()


async def test_it_waits_no_longer_than_told_and_not_at_all_when_something_waits() -> None:
    attention: Attention[str] = Attention()
    await asyncio.wait_for(attention.wait(0.001), 5)
    await asyncio.wait_for(attention.wait(-1), 5)
    attention.add("a")
    began = time.monotonic()
    await attention.wait(60)
    assert time.monotonic() - began < 30
