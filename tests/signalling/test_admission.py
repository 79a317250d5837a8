"""One token, one session, by whichever door; how many stand at once; what is refused is given back."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from mediaserver.ids import SessionId
from mediaserver.server import HttpSession
from signalling.auth import Bearer
from signalling.tokens import Audience
from tests.signalling.conftest import House, OpenHouse
from tests.signalling.offers import offer

DOORS = ("whip", "whep", "ws")
ROOM = "7QK2"
LARGE_OFFER = offer() + 10 * f"a=x:{'y' * 2000}\r\n"
"""So large that it is parsed in a thread: others come in meanwhile."""


class Refused(Exception):
    """Not let in: HTTP status or close code, and the code of the error."""


async def post(
    house: House, kind: str, token: str, sdp: str | None = None, room: str = ROOM
) -> aiohttp.ClientResponse:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/sdp"}
    body = sdp or offer("sendonly" if kind == "whip" else "recvonly")
    async with house.http.post(f"{house.url}/{kind}/{room}", data=body, headers=headers) as response:
        await response.read()
        return response


async def enter(house: House, door: str, token: str) -> Any:
    """A socket, or the URL of a session. Raises ``Refused``."""
    if door == "ws":
        socket = await house.socket()
        answer = await socket.ask("join", token=token)
        if answer["type"] == "hello":
            return socket
        raise Refused(await socket.closed(), answer["code"])
    response = await post(house, door, token)
    if response.status == 201:
        return house.url + response.headers["Location"]
    assert response.content_type == "application/problem+json"
    raise Refused(response.status, (await response.json(content_type=None))["code"])


async def leave(house: House, way: Any, token: str) -> None:
    if isinstance(way, str):
        headers = {"Authorization": f"Bearer {token}"}
        async with house.http.delete(way, headers=headers) as response:
            assert response.status == 200
    else:
        await way.ask("leave")


async def invited(house: House, invitation: str) -> str:
    """A join token for it, over HTTP."""
    headers = {"Authorization": f"Bearer {invitation}"}
    async with house.http.post(f"{house.url}/api/v1/join", json={}, headers=headers) as response:
        assert response.status == 200
        return str((await response.json())["token"])


@pytest.fixture
async def house(open_house: OpenHouse) -> House:
    """A server in whose room somebody publishes."""
    made = await open_house()
    await enter(made, "whip", made.token("staff", reusable=True))
    return made


@pytest.mark.parametrize("second", DOORS)
@pytest.mark.parametrize("first", DOORS)
async def test_a_token_opens_one_session_by_whichever_door(house: House, first: str, second: str) -> None:
    token = house.token("surgeon")
    way = await enter(house, first, token)
    refusal = (4401 if second == "ws" else 401, "token_used")
    with pytest.raises(Refused) as refused:
        await enter(house, second, token)
    assert refused.value.args == refusal
    await leave(house, way, token)
    with pytest.raises(Refused) as refused:
        await enter(house, second, token)
    assert refused.value.args == refusal, "what ended was its one session"
    response = await post(house, "whip", token)
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert "new one" in (await response.json(content_type=None))["detail"]


async def test_what_opens_no_session_uses_no_token_up(house: House) -> None:
    token = house.token("surgeon")
    assert (await post(house, "whip", token, "v=0")).status == 400
    assert (await post(house, "whip", token, offer(video="H263/90000", audio=False))).status == 406
    assert (await post(house, "whep", token, offer("recvonly"), room="other")).status == 403
    assert (await post(house, "whip", token)).status == 201
    assert (await post(house, "whip", token)).status == 401


async def test_a_full_room_uses_no_token_up(open_house: OpenHouse) -> None:
    house = await open_house({"limits": {"participants_per_room": 1}})
    socket, _ = await house.join()
    token = house.token()
    with pytest.raises(Refused, match="room_full"):
        await enter(house, "ws", token)
    await socket.ask("leave")
    await enter(house, "ws", token)


async def test_two_at_once_share_no_token(house: House) -> None:
    token = house.token("surgeon")
    sent = (post(house, "whip", token, LARGE_OFFER) for _ in range(6))
    statuses = [response.status for response in await asyncio.gather(*sent)]
    assert sorted(statuses) == [201, 401, 401, 401, 401, 401]


async def test_a_reusable_token_serves_a_script(house: House) -> None:
    token = house.token("surgeon", reusable=True)
    await enter(house, "whip", token)
    for _ in range(60):
        await enter(house, "whep", token)
    socket = await enter(house, "ws", token)
    assert (await socket.ask("ping"))["type"] == "pong"
    with pytest.raises(Refused, match="token_used"):
        await enter(house, "ws", token)
    await enter(house, "whep", token)
    house.clock.ahead_seconds = 631
    assert (await post(house, "whep", token)).status == 401


async def test_a_reusable_token_may_resume(house: House) -> None:
    socket = await house.socket()
    hello = await socket.ask("join", token=house.token("surgeon", reusable=True))
    transport = socket.ws._response.connection.transport  # type: ignore[union-attr]
    assert isinstance(transport, asyncio.Transport)
    transport.abort()
    back = await house.socket()
    resume = {"session": hello["session"], "token": hello["resume_token"], "seq": hello["seq"]}
    assert (await back.ask("join", token="", resume=resume))["resumed"] is True


async def test_an_invitation_has_so_many_places(open_house: OpenHouse) -> None:
    house = await open_house(sessions_per_invitation=3)
    invitation, other = (house.token("surgeon", audience=Audience.INVITE) for _ in "ab")
    ways = []
    for door in DOORS:
        token = await invited(house, invitation)
        ways.append((await enter(house, door, token), token))
    waiting = await invited(house, invitation)
    for door in DOORS:
        with pytest.raises(Refused) as refused:
            await enter(house, door, waiting)
        assert refused.value.args == (4429 if door == "ws" else 429, "limit_reached")
    await enter(house, "ws", await invited(house, other))
    await leave(house, *ways[1])
    await enter(house, "whep", waiting)


async def test_an_identity_has_so_many_places_by_all_doors(house: House) -> None:
    for door in DOORS:
        await enter(house, door, house.token("surgeon", subject="dr-anh"))
    for door in DOORS:
        with pytest.raises(Refused, match="limit_reached"):
            await enter(house, door, house.token("surgeon", subject="dr-anh"))
    await enter(house, "ws", house.token("surgeon", subject="dr-binh"))


async def test_openings_under_way_have_their_places(open_house: OpenHouse) -> None:
    house = await open_house(connections_per_identity=2)
    sent = (post(house, "whip", house.token("surgeon", subject="dr-anh"), LARGE_OFFER) for _ in range(6))
    statuses = [response.status for response in await asyncio.gather(*sent)]
    assert sorted(statuses) == [201, 201, 429, 429, 429, 429]


async def test_withdrawn_while_the_offer_was_still_coming(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, check, checked = house.token("surgeon"), house.parts.authenticator.check, asyncio.Event()

    def found_good(*asked: Any) -> Bearer:
        found = check(*asked)
        checked.set()
        return found

    monkeypatch.setattr(house.parts.authenticator, "check", found_good)
    reader, writer = await asyncio.open_connection("127.0.0.1", house.listener.port)
    body = offer()
    writer.write(
        f"POST /whip/{ROOM} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body[:20]}".encode()
    )
    await asyncio.wait_for(checked.wait(), 5)
    house.parts.authenticator.revoke(house.parts.authenticator.check_signed(token))
    writer.write(body[20:].encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 401")
    writer.close()


async def test_withdrawn_while_the_offer_was_looked_at(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    token = house.token("surgeon")
    whip, opened = house.server.whip, []

    async def withdrawn_meanwhile(*asked: Any) -> HttpSession:
        session = await whip(*asked)
        opened.append(session.id)
        house.parts.authenticator.revoke(house.parts.authenticator.check_signed(token))
        return session

    monkeypatch.setattr(house.server, "whip", withdrawn_meanwhile)
    assert (await post(house, "whip", token)).status == 401
    assert not house.server.has_http_session(SessionId(opened[0]))
