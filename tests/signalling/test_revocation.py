"""What is withdrawn takes with it everything that came of it, before the one who withdraws has the answer."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from signalling.tokens import Audience
from tests.signalling.conftest import House, OpenHouse, Socket
from tests.signalling.offers import offer

ROOM = "7QK2"


async def call(house: House, path: str, token: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token}"}
    async with house.http.post(f"{house.url}/api/v1/{path}", json=body or {}, headers=headers) as response:
        return response.status, await response.json(content_type=None) if await response.read() else None


async def exchanged(house: House, invitation: str) -> str:
    status, made = await call(house, "join", invitation)
    assert status == 200, made
    return str(made["token"])


async def invited_by(house: House, token: str, role: str = "surgeon") -> str:
    status, made = await call(house, "tokens", token, {"room": ROOM, "role": role})
    assert status == 200, made
    return str(made["token"])


async def media(house: House, kind: str, token: str) -> aiohttp.ClientResponse:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/sdp"}
    body = offer("sendonly" if kind == "whip" else "recvonly")
    async with house.http.post(f"{house.url}/{kind}/{ROOM}", data=body, headers=headers) as response:
        await response.read()
        return response


async def join(house: House, token: str) -> tuple[Socket, dict[str, Any]]:
    socket = await house.socket()
    return socket, await socket.ask("join", token=token)


def forwarded(house: House) -> int:
    """Subscriptions that stand in the plane."""
    return len(house.server.registry.subscriptions) + len(house.server.registry.publications)


async def test_a_chain_falls_with_its_middle_and_no_further(house: House) -> None:
    """Invitation I lets A in; A invites B by J, B invites C by K. Then J is withdrawn."""
    first = house.token("surgeon", audience=Audience.INVITE)
    token_a = await exchanged(house, first)
    invitation_j = await invited_by(house, token_a)
    token_b = await exchanged(house, invitation_j)
    invitation_k = await invited_by(house, token_b, "observer")
    token_c = await exchanged(house, invitation_k)
    spare_c = await exchanged(house, invitation_k)

    socket_a, _ = await join(house, token_a)
    by_b, by_c = await media(house, "whip", token_b), await media(house, "whep", token_c)
    assert (by_b.status, by_c.status) == (201, 201)
    beside, _ = await join(house, house.token("moderator"))
    assert len(house.server.registry.http) == 2

    assert (await call(house, "revocations", token_a, {"token": invitation_j}))[0] == 204
    # No waiting from here on: the answer comes after the effect.
    assert not house.server.registry.http
    assert forwarded(house) == 0
    assert len(house.parts.sessions) == 2, "who invited, and who stands beside, stay"
    for invitation in (invitation_j, invitation_k):
        assert (await call(house, "join", invitation))[0] == 401
    for token in (token_b, token_c, spare_c):
        assert (await media(house, "whep", token)).status == 401
        assert (await call(house, "tokens", token, {"room": ROOM, "role": "observer"}))[0] == 401
    refused = await join(house, spare_c)
    assert refused[1]["code"] == "unauthorized"
    assert (await socket_a.ask("ping"))["type"] == "pong"

    assert (await call(house, "revocations", house.token("operator", "*"), {"token": first}))[0] == 204
    assert await socket_a.closed() == 4412
    assert (await call(house, "join", first))[0] == 401
    assert (await beside.ask("ping"))["type"] == "pong"


@pytest.mark.parametrize("away", [False, True])
async def test_a_socket_deep_in_the_chain_is_closed_and_cannot_resume(
    open_house: OpenHouse, away: bool
) -> None:
    house = await open_house()
    first = house.token("surgeon", audience=Audience.INVITE)
    second = await invited_by(house, await exchanged(house, first))
    third = await invited_by(house, await exchanged(house, second), "observer")
    stays, _ = await join(house, house.token("surgeon"))
    socket, hello = await join(house, await exchanged(house, third))
    if away:
        transport = socket.ws._response.connection.transport  # type: ignore[union-attr]
        transport.abort()  # type: ignore[union-attr]
        changed = await stays.event("participant_changed")
        assert changed["participant"]["connected"] is False
    assert (await call(house, "revocations", house.token("surgeon"), {"token": first}))[0] == 204
    assert (await stays.event("participant_left"))["participant"] == hello["participant"]
    if not away:
        assert await socket.closed() == 4412
    back = await house.socket()
    resume = {"session": hello["session"], "token": hello["resume_token"], "seq": hello["seq"]}
    answer = await back.ask("join", token="", resume=resume)
    assert answer["type"] == "error"
    assert answer["code"] in ("unauthorized", "session_gone")
    assert not answer["retryable"]


async def test_a_token_that_expired_can_still_be_withdrawn(house: House) -> None:
    """What it made lives twelve hours."""
    token = house.token("surgeon")
    invitation = await invited_by(house, token, "observer")
    socket, _ = await join(house, await exchanged(house, invitation))
    house.clock.ahead_seconds = 3600
    for _ in range(2):
        assert (await call(house, "revocations", house.token("moderator"), {"token": token}))[0] == 204
    assert await socket.closed() == 4412
    assert (await call(house, "join", invitation))[0] == 401


async def test_only_who_moderates_the_room_withdraws(house: House) -> None:
    invitation = house.token("observer", audience=Audience.INVITE)
    for token in (house.token("observer"), house.token("specialist"), house.token("surgeon", "other")):
        assert (await call(house, "revocations", token, {"token": invitation}))[0] == 403
    status, problem = await call(house, "revocations", house.token("surgeon"), {"token": "a.b.c"})
    assert (status, problem["field"]) == (400, "$.token")
    assert (await call(house, "join", invitation))[0] == 200


async def test_a_chain_of_invitations_has_an_end(house: House) -> None:
    wish = {"room": ROOM, "role": "surgeon"}
    token = house.token("surgeon")
    while (made := await call(house, "tokens", token, wish))[0] == 200:
        token = await exchanged(house, made[1]["token"])
    assert made[0] == 403
    assert "invited over" in made[1]["detail"]
    assert (await join(house, token))[1]["type"] == "hello", "the last of them is good for itself"
