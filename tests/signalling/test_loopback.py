"""There and back through a real server: numbers, delays, and the end."""

from __future__ import annotations

import asyncio

import pytest

from mediaserver.policy import Right
from signalling.client import Refused
from signalling.loopback import Ends, Loopback, Seen
from tests.running import until
from tests.signalling.conftest import House


def ends(house: House, send_token: str | None = None) -> Ends:
    def token(right: Right) -> str:
        return house.token("staff", rights=frozenset({right}))

    sends = token(Right.PUBLISH_VIDEO) if send_token is None else send_token
    return Ends(url=house.url, send_token=sends, receive_token=token(Right.SUBSCRIBE))


async def test_pictures_come_back_with_their_numbers_and_delays(house: House) -> None:
    seen: list[Seen] = []
    loopback = Loopback(ends(house), 10, seen.append)
    running = asyncio.create_task(loopback.run())
    await until(lambda: len(seen) >= 8, 20, "pictures")
    assert loopback.connected
    assert loopback.media_addresses
    frames = [one.frame for one in seen]
    assert frames == sorted(set(frames))
    assert frames[-1] < loopback.drawn
    assert all(0 <= one.delay_seconds < 5 for one in seen)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_the_end_of_a_session_is_an_error(house: House) -> None:
    loopback = Loopback(ends(house), 10, lambda _: None)
    running = asyncio.create_task(loopback.run())
    await asyncio.wait_for(loopback.joined.wait(), 10)
    for session in list(house.server.registry.sessions.values()):
        house.server.expel(session.room.id, session.participant.id)
    with pytest.raises(ConnectionError):
        await asyncio.wait_for(running, 10)


async def test_a_token_that_does_not_hold_is_told(house: House) -> None:
    loopback = Loopback(ends(house, send_token="none"), 10, lambda _: None)
    with pytest.raises((Refused, ExceptionGroup)) as refused:
        await asyncio.wait_for(loopback.run(), 10)
    error = refused.value
    assert "unauthorized" in str(error.exceptions[0] if isinstance(error, ExceptionGroup) else error)
