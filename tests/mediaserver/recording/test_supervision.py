"""What keeps a recording going goes on after any failure, and says so meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from mediaserver.recording import supervision
from mediaserver.recording.supervision import Supervision


@pytest.fixture
async def watched(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Supervision]:
    monkeypatch.setattr(supervision, "RETRY_SECONDS", 0.0)
    made = Supervision()
    yield made
    await made.end()


async def test_one_piece_that_cannot_be_taken_costs_itself_alone(watched: Supervision) -> None:
    taken: list[int] = []
    all_came = asyncio.Event()

    async def stream() -> AsyncIterator[int]:
        for number in (0, 1, 2):
            yield number
        all_came.set()
        await asyncio.Event().wait()

    watched.begin("numbers", stream, lambda number: taken.append(1 // number))
    await all_came.wait()
    assert (taken, watched.whole) == ([1, 0], True)


async def test_a_stream_that_fails_is_read_anew(watched: Supervision) -> None:
    wholes: list[bool] = []
    back = asyncio.Event()

    async def stream() -> AsyncIterator[int]:
        wholes.append(watched.whole)
        if len(wholes) < 3:
            raise OSError
        yield 1
        await asyncio.Event().wait()

    watched.begin("numbers", stream, lambda _: back.set())
    await back.wait()
    assert (wholes, watched.whole) == ([True, False, False], True)


async def test_a_stream_that_ends_is_missed(watched: Supervision) -> None:
    async def stream() -> AsyncIterator[int]:
        yield 1

    watched.begin("numbers", stream, lambda _: None)
    while watched.whole:  # noqa: ASYNC110
        await asyncio.sleep(0)
    await watched.end()
    assert watched.whole
