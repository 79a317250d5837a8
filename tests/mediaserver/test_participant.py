"""The outbox: order, bounds, replay."""

from __future__ import annotations

import asyncio

from mediaserver.events import Offer, Unpublished
from mediaserver.ids import PublicationId
from mediaserver.participant import EventQueue


def event(number: int) -> Unpublished:
    return Unpublished(PublicationId(str(number)))


async def test_events_come_in_order_with_numbers() -> None:
    queue = EventQueue()
    for number in range(3):
        assert queue.put(event(number))
    got = [await queue.get() for _ in range(3)]
    assert [(item.seq, item.event) for item in got if item] == [(1, event(0)), (2, event(1)), (3, event(2))]
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.put(event(3))
    item = await waiting
    assert item is not None
    assert item.seq == 4


async def test_a_closed_queue_gives_the_rest_then_nothing() -> None:
    queue = EventQueue()
    queue.put(event(0))
    queue.close()
    assert not queue.put(event(1))
    first = await queue.get()
    assert first is not None
    assert await queue.get() is None


async def test_replay_gives_again_what_was_read() -> None:
    queue = EventQueue()
    for number in range(5):
        queue.put(event(number))
        await queue.get()
    assert queue.replay(2)
    again = [await queue.get() for _ in range(3)]
    assert [item.seq for item in again if item] == [3, 4, 5]
    assert queue.replay(5)
    assert not queue.replay(6)
    assert not queue.replay(-1)


async def test_history_is_bounded_and_gone_history_cannot_be_replayed() -> None:
    queue = EventQueue(max_events=4)
    for number in range(10):
        assert queue.put(event(number))
        await queue.get()
    assert queue.replay(6)
    assert not queue.replay(5)


async def test_an_unread_queue_overflows_by_number_and_by_bytes() -> None:
    by_number = EventQueue(max_events=4)
    assert [by_number.put(event(number)) for number in range(6)] == [True] * 4 + [False] * 2
    assert by_number.overflowed
    assert await by_number.get() is None
    by_bytes = EventQueue(max_bytes=100_000)
    big = Offer(1, "x" * 60_000, ())
    assert by_bytes.put(big)
    assert not by_bytes.put(big)
    assert by_bytes.overflowed
