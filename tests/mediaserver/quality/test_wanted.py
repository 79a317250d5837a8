"""Whoever waits for a picture gets it, or hears why not; few wait at once."""

from __future__ import annotations

import asyncio
import base64

import pytest

from mediaserver.errors import LimitReached, NoPictureYet, PictureNotWatched
from mediaserver.quality import wanted
from mediaserver.quality.wanted import AT_ONCE, Wanted


def waiting(desk: Wanted, publication: str) -> asyncio.Task[bytes]:
    return asyncio.create_task(desk.picture(publication, lambda: True))


async def test_it_comes_to_who_asked_and_to_nobody_twice() -> None:
    desk = Wanted()
    one, other = waiting(desk, "a"), waiting(desk, "b")
    await asyncio.sleep(0)
    desk.came("nobody's", "")
    desk.came("b", base64.b64encode(b"picture").decode())
    desk.came("b", base64.b64encode(b"another").decode())
    assert await other == b"picture"
    desk.ended("b")
    assert not one.done()
    desk.ended("a")
    desk.came("a", "")
    with pytest.raises(PictureNotWatched):
        await one


async def test_few_at_once_and_one_of_a_source() -> None:
    desk = Wanted()
    standing = [waiting(desk, str(number)) for number in range(AT_ONCE - 1)]
    await asyncio.sleep(0)
    with pytest.raises(LimitReached):
        await waiting(desk, "0")
    standing.append(waiting(desk, "last"))
    await asyncio.sleep(0)
    with pytest.raises(LimitReached):
        await waiting(desk, "one more")
    standing[0].cancel()
    await asyncio.gather(standing[0], return_exceptions=True)
    standing.append(waiting(desk, "one more"))
    await asyncio.sleep(0)
    desk.came("one more", "")
    assert await standing[-1] == b""
    for task in standing:
        task.cancel()
    await asyncio.gather(*standing, return_exceptions=True)


async def test_none_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wanted, "LIMIT_SECONDS", 0.01)
    desk = Wanted()
    with pytest.raises(NoPictureYet):
        await waiting(desk, "a")
    with pytest.raises(PictureNotWatched):
        await desk.picture("a", lambda: False)
    assert desk._waiting == {}
