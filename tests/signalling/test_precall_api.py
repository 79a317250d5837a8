"""``POST /api/v1/precall``: who may, and what comes back."""

from __future__ import annotations

import pytest

from mediaserver.policy import Right
from signalling import precall
from signalling.tokens import Audience
from tests.signalling.conftest import House
from tests.signalling.test_api import call


@pytest.mark.parametrize("role", ["surgeon", "specialist", "observer"])
async def test_an_invitation_opens_a_test(house: House, role: str) -> None:
    bearer = house.bearer(role, audience=Audience.INVITE)
    status, test = await call(house, "POST", "/api/v1/precall", bearer, {})
    assert status == 200
    assert test["room"].startswith(precall.ROOM_PREFIX)
    assert test["seconds"] == precall.TEST_SECONDS
    socket = await house.socket()
    hello = await socket.ask("join", token=test["receive_token"])
    assert hello["rights"] == ["subscribe"]


async def test_who_enters_no_room_tests_none(house: House) -> None:
    bearers = [
        house.bearer("operator", "*", audience=Audience.INVITE),
        house.bearer("observer", audience=Audience.INVITE, rights=frozenset({Right.CHAT})),
    ]
    for bearer in bearers:
        assert (await call(house, "POST", "/api/v1/precall", bearer, {}))[0] == 403


async def test_a_join_token_or_none_is_no_invitation(house: House) -> None:
    assert (await call(house, "POST", "/api/v1/precall", house.bearer("surgeon"), {}))[0] == 401
    assert (await call(house, "POST", "/api/v1/precall", None, {}))[0] == 401


async def test_too_many_are_told_when_to_come_back(house: House) -> None:
    bearer = house.bearer("surgeon", audience=Audience.INVITE)
    url = f"{house.url}/api/v1/precall"
    statuses, retry = [], None
    for _ in range(precall.MAX_AT_ONCE + 1):
        async with house.http.post(url, headers=bearer) as response:
            statuses.append(response.status)
            retry = response.headers.get("Retry-After")
    assert statuses == [200] * precall.MAX_AT_ONCE + [429]
    assert retry is not None
