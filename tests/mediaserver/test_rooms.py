"""Rooms open on a worker and go when nobody came back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from mediaserver.audit import NoAudit
from mediaserver.errors import LimitReached
from mediaserver.ids import ParticipantId, Redacted, RoomId
from mediaserver.plane import open_plane
from mediaserver.policy import RIGHTS, Role
from mediaserver.room import Member
from mediaserver.rooms import Rooms
from mediaserver.session import Registry
from tests.mediaserver.peers import settings

ONE, TWO, THREE = RoomId("one"), RoomId("two"), RoomId("three")


@pytest.fixture
def registry() -> Iterator[Registry]:
    chosen = settings(workers=2, rooms=2, empty_room_seconds=0.01)
    made = Registry(chosen, open_plane(chosen.media), NoAudit())
    yield made
    made.plane.stop()


def somebody() -> Member:
    return Member(ParticipantId("an"), Redacted("An"), Role.STAFF, RIGHTS[Role.STAFF])


async def test_a_room_is_opened_once_and_rooms_are_spread_and_limited(registry: Registry) -> None:
    rooms = Rooms(registry)
    one = rooms.get_or_open(ONE)
    assert rooms.get_or_open(ONE) is one
    assert {one.worker, rooms.get_or_open(TWO).worker} == {0, 1}
    with pytest.raises(LimitReached):
        rooms.get_or_open(THREE)
    rooms.expire(ONE)
    assert rooms.get_or_open(THREE).worker == one.worker, "the worker was given back"


async def test_an_empty_room_goes_and_one_that_was_entered_stays(registry: Registry) -> None:
    rooms = Rooms(registry)
    kept = rooms.get_or_open(ONE)
    rooms.get_or_open(TWO)
    kept.join(somebody())
    rooms.entered(kept)
    async with asyncio.timeout(5):
        while TWO in registry.rooms:  # noqa: ASYNC110 - a timer of the loop takes it out
            await asyncio.sleep(0.001)
    rooms.left(kept)
    rooms.expire(ONE)
    assert registry.rooms == {ONE: kept}, "somebody is in it"
    kept.leave(ParticipantId("an"))
    rooms.left(kept)
    async with asyncio.timeout(5):
        while registry.rooms:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.001)


async def test_a_room_that_was_forgotten_comes_back_as_another(registry: Registry) -> None:
    rooms = Rooms(registry)
    gone = rooms.get_or_open(ONE)
    rooms.forget(gone)
    rooms.forget(gone)
    back = rooms.get_or_open(ONE)
    assert back is not gone
    rooms.left(gone)
    assert registry.rooms == {ONE: back}
