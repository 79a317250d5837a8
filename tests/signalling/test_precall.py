"""Pre-call tests: two tokens for a room of their own, few at once, over in time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from mediaserver.errors import LimitReached
from mediaserver.policy import Right
from signalling import precall
from signalling.auth import Bearer
from signalling.errors import RateLimited
from signalling.tokens import Audience
from tests.signalling.conftest import House


def invitation(house: House) -> Bearer:
    return house.parts.authenticator.check(house.token("observer", audience=Audience.INVITE), Audience.INVITE)


@pytest.fixture
def invited(house: House) -> Bearer:
    return invitation(house)


@pytest.fixture
def precalls(house: House) -> Iterator[precall.Precalls]:
    tests = precall.Precalls(house.server, house.parts.authenticator, lambda: 0.0)
    yield tests
    tests.stop()


async def test_tokens_send_or_receive_and_enter_nothing_but_their_room(
    house: House, precalls: precall.Precalls, invited: Bearer
) -> None:
    test = precalls.begin(invited, "192.0.2.1")
    rights = {}
    for name in ("send_token", "receive_token"):
        bearer = house.parts.authenticator.check(getattr(test, name))
        assert bearer.claims.room == test.room
        rights[name] = bearer.rights
    assert rights == {
        "send_token": frozenset({Right.PUBLISH_VIDEO}),
        "receive_token": frozenset({Right.SUBSCRIBE}),
    }


async def test_they_fall_with_the_invitation(
    house: House, precalls: precall.Precalls, invited: Bearer
) -> None:
    test = precalls.begin(invited, "192.0.2.1")
    house.parts.authenticator.revoke(invited.claims)
    socket = await house.socket()
    assert (await socket.ask("join", token=test.send_token))["code"] == "unauthorized"


async def test_few_run_at_once(house: House, precalls: precall.Precalls, invited: Bearer) -> None:
    for index in range(precall.MAX_AT_ONCE):
        precalls.begin(invitation(house), f"192.0.2.{index}")
    with pytest.raises(LimitReached):
        precalls.begin(invited, "192.0.2.200")


async def test_who_has_left_makes_room_for_the_next(
    house: House, precalls: precall.Precalls, invited: Bearer
) -> None:
    tests = [precalls.begin(invitation(house), f"192.0.2.{index}") for index in range(precall.MAX_AT_ONCE)]
    socket = await house.socket()
    assert (await socket.ask("join", token=tests[0].send_token))["type"] == "hello"
    with pytest.raises(LimitReached):
        precalls.begin(invited, "192.0.2.200")
    assert (await socket.ask("leave"))["type"] == "ok"
    precalls.begin(invited, "192.0.2.201")
    precalls.download(tests[0].room)
    with pytest.raises(LimitReached):
        precalls.begin(invited, "192.0.2.202")


async def test_no_invitation_takes_the_places_of_all(
    house: House, precalls: precall.Precalls, invited: Bearer
) -> None:
    tests = [precalls.begin(invited, f"192.0.2.{index}") for index in range(precall.MAX_PER_INVITATION)]
    with pytest.raises(LimitReached, match="this invitation"):
        precalls.begin(invited, "192.0.2.200")
    precalls.begin(invitation(house), "192.0.2.201")
    socket = await house.socket()
    assert (await socket.ask("join", token=tests[0].send_token))["type"] == "hello"
    assert (await socket.ask("leave"))["type"] == "ok"
    precalls.begin(invited, "192.0.2.202")


async def test_a_source_begins_few(
    precalls: precall.Precalls, invited: Bearer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precall, "MAX_AT_ONCE", 100)
    monkeypatch.setattr(precall, "MAX_PER_INVITATION", 100)
    for _ in range(precall.PER_SOURCE_BURST):
        precalls.begin(invited, "192.0.2.1")
    with pytest.raises(RateLimited):
        precalls.begin(invited, "192.0.2.1")
    precalls.begin(invited, "192.0.2.2")


async def test_sources_are_forgotten_rather_than_kept_without_bound(
    precalls: precall.Precalls, invited: Bearer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precall, "MAX_AT_ONCE", 100)
    monkeypatch.setattr(precall, "MAX_PER_INVITATION", 100)
    monkeypatch.setattr(precall, "MAX_SOURCES", 2)
    for _ in range(precall.PER_SOURCE_BURST):
        precalls.begin(invited, "192.0.2.1")
    precalls.begin(invited, "192.0.2.2")
    precalls.begin(invited, "192.0.2.3")
    precalls.begin(invited, "192.0.2.1")


async def test_whoever_is_still_in_the_room_at_the_end_is_out(
    house: House, invited: Bearer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precall, "LIFETIME_SECONDS", 1)
    precalls = house.parts.precalls
    test = precalls.begin(invited, "192.0.2.1")
    socket = await house.socket()
    assert (await socket.ask("join", token=test.send_token))["type"] == "hello"
    assert len(precalls) == 1
    assert (await socket.event("closing"))["reason"] == "removed"
    assert len(precalls) == 0
    await asyncio.sleep(0)
    again = await house.socket()
    assert (await again.ask("join", token=test.send_token))["code"] in ("token_used", "unauthorized")
