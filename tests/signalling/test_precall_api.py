"""``POST /api/v1/precall``: who may, and what comes back."""

from __future__ import annotations

import pytest

from mediaserver.policy import Right
from signalling import precall, precall_api
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
    for _ in range(precall.MAX_PER_INVITATION + 1):
        async with house.http.post(url, headers=bearer) as response:
            statuses.append(response.status)
            retry = response.headers.get("Retry-After")
    assert statuses == [200] * precall.MAX_PER_INVITATION + [429]
    assert retry is not None


async def test_a_test_has_one_download_at_a_bounded_rate(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precall_api, "DOWNLOAD_SECONDS", 0.5)
    bearer = house.bearer("observer", audience=Audience.INVITE)
    _, test = await call(house, "POST", "/api/v1/precall", bearer, {})
    url = f"{house.url}/api/v1/precall/{test['room']}/download"
    async with house.http.get(url, headers=bearer) as response:
        body = await response.read()
    assert response.status == 200
    bound = precall_api.DOWNLOAD_BITS_PER_SECOND / 8 * 0.5 + precall_api.CHUNK_BYTES
    assert precall_api.CHUNK_BYTES <= len(body) <= bound
    assert (await call(house, "GET", f"/api/v1/precall/{test['room']}/download", bearer))[0] == 429


async def test_a_download_needs_an_invitation_and_a_test_that_runs(house: House) -> None:
    bearer = house.bearer("observer", audience=Audience.INVITE)
    _, test = await call(house, "POST", "/api/v1/precall", bearer, {})
    path = f"/api/v1/precall/{test['room']}/download"
    operator = house.bearer("operator", "*", audience=Audience.INVITE)
    assert (await call(house, "GET", path, operator))[0] == 403
    assert (await call(house, "GET", path, None))[0] == 401
    assert (await call(house, "GET", "/api/v1/precall/precall.0000/download", bearer))[0] == 404
