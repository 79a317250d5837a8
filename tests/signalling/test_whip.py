"""WHIP and WHEP over real HTTP: every row of the interoperability table."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from mediaserver.ids import RoomId
from mediaserver.policy import Right
from signalling.tokens import Audience
from tests.signalling.conftest import House, OpenHouse
from tests.signalling.offers import CANDIDATE, FRAGMENT, offer

SDP = {"Content-Type": "application/sdp"}
SDPFRAG = {"Content-Type": "application/trickle-ice-sdpfrag"}


async def post(house: House, path: str, body: str | bytes, headers: dict[str, str]) -> aiohttp.ClientResponse:
    response = await house.http.post(f"{house.url}{path}", data=body, headers=headers)
    await response.read()
    return response


async def publish(house: House, room: str = "7QK2", **more: Any) -> tuple[str, str, dict[str, str]]:
    """A WHIP session: its URL, ETag and the bearer header that made it."""
    bearer = house.bearer("staff", room, **more)
    response = await post(house, f"/whip/{room}", offer(), {**SDP, **bearer})
    assert response.status == 201, await response.text()
    return house.url + response.headers["Location"], response.headers["ETag"], bearer


@asynccontextmanager
async def problem(response: aiohttp.ClientResponse, status: int, code: str) -> AsyncIterator[dict[str, Any]]:
    assert response.status == status
    assert response.content_type == "application/problem+json"
    body = await response.json(content_type=None)
    assert body["code"] == code
    assert body["status"] == status
    yield body


async def test_publishing_answers_201_with_all_that_clients_need(open_house: OpenHouse) -> None:
    house = await open_house(
        {
            "ice_servers": [
                {"urls": ["turns:turn.example:443?transport=tcp"], "username": "u", "credential": "c"},
                {"urls": ["turn:turn.example:3478?transport=udp"], "username": "u", "credential": "c"},
                {"urls": ["stun:stun.example:3478"]},
            ]
        }
    )
    response = await post(house, "/whip/7QK2", offer(), {**SDP, **house.bearer("surgeon")})
    assert response.status == 201
    assert response.content_type == "application/sdp"
    body = (await response.read()).decode()
    assert body.startswith("v=0\r\n")
    assert len(body) <= 8192
    location = response.headers["Location"]
    assert location.startswith("/whip/7QK2/")
    assert "?" not in location
    assert response.headers["ETag"].startswith('"')
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    exposed = response.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"Location", "Link", "ETag", "Retry-After"} <= set(exposed)
    links = response.headers.getall("Link")
    secret = 'username="u"; credential="c"; credential-type="password"'
    assert links == [
        f'<turn:turn.example:3478?transport=udp>; rel="ice-server"; {secret}',
        '<stun:stun.example:3478>; rel="ice-server"',
        f'<turns:turn.example:443?transport=tcp>; rel="ice-server"; {secret}',
    ]
    assert not any("," in link or link.endswith(";") for link in links)


async def test_the_location_is_absolute_with_a_public_url(open_house: OpenHouse) -> None:
    house = await open_house({"public_url": "https://loupe.example"})
    response = await post(house, "/whip/7QK2", offer(), {**SDP, **house.bearer("surgeon")})
    assert response.headers["Location"].startswith("https://loupe.example/whip/7QK2/")


async def test_the_media_type_may_have_parameters(house: House) -> None:
    headers = {"Content-Type": "Application/SDP; charset=utf-8", **house.bearer("surgeon")}
    assert (await post(house, "/whip/7QK2", offer(), headers)).status == 201


async def test_a_watcher_gets_what_is_published(house: House) -> None:
    await publish(house)
    response = await post(house, "/whep/7QK2", offer("recvonly"), {**SDP, **house.bearer("observer")})
    assert response.status == 201
    assert response.headers["Location"].startswith("/whep/7QK2/")
    assert "a=sendonly" in await response.text()


@pytest.mark.parametrize("kind", ["whip", "whep"])
@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({"Content-Type": "application/json"}, "{}", 415, "unsupported_media_type"),
        ({}, b"v=0", 415, "unsupported_media_type"),
        ({**SDP, "Content-Encoding": "gzip"}, "v=0", 415, "unsupported_media_type"),
        (SDP, "", 400, "malformed_sdp"),
        (SDP, "hello", 400, "malformed_sdp"),
        (SDP, b"\xff\xfe", 400, "malformed_message"),
        (SDP, "v=0\r\n" + "a=x\r\n" * 20_000, 413, "too_large"),
    ],
)
async def test_bad_offers(
    house: House, kind: str, headers: dict[str, str], body: str | bytes, status: int, code: str
) -> None:
    await publish(house)
    role = "surgeon" if kind == "whip" else "observer"
    response = await house.http.post(
        f"{house.url}/{kind}/7QK2",
        data=body,
        headers={**headers, **house.bearer(role)},
        skip_auto_headers=["Content-Type"],
    )
    async with problem(response, status, code):
        assert response.headers["Access-Control-Allow-Origin"] == "*"


async def test_no_common_codec_is_406_and_names_what_is_accepted(house: House) -> None:
    response = await post(
        house, "/whip/7QK2", offer(video="H263/90000", audio=False), {**SDP, **house.bearer("surgeon")}
    )
    async with problem(response, 406, "no_common_codec") as body:
        assert {"VP8", "H264"} <= {name.split("/")[0] for name in body["accepted"]}
    assert house.server.rooms.get(RoomId("7QK2")) is None or not house.server.rooms[RoomId("7QK2")].members


async def test_a_second_picture_in_one_offer_is_refused_whole(house: House) -> None:
    one = offer()
    start, end = one.index("m=video"), one.index("m=audio")
    second = one[start:end].replace("a=mid:0", "a=mid:2").replace("1111", "3333")
    two = one.replace("BUNDLE 0 1", "BUNDLE 0 1 2") + second
    response = await post(house, "/whip/7QK2", two, {**SDP, **house.bearer("surgeon")})
    async with problem(response, 406, "no_common_codec") as body:
        assert "one picture" in body["detail"]
    assert house.server.rooms.get(RoomId("7QK2")) is None or not house.server.rooms[RoomId("7QK2")].members


async def test_tokens(house: House) -> None:
    for header in (
        {},
        {"Authorization": "Basic eA=="},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer a.b.c"},
    ):
        response = await post(house, "/whip/7QK2", offer(), {**SDP, **header})
        async with problem(response, 401, "unauthorized"):
            assert response.headers["WWW-Authenticate"].startswith("Bearer")
    response = await post(house, f"/whip/7QK2?access_token={house.token()}", offer(), SDP)
    assert response.status == 401, "a token in the URL is no token"
    for role in ("observer", "operator"):
        response = await post(house, "/whip/7QK2", offer(), {**SDP, **house.bearer(role)})
        async with problem(response, 403, "not_permitted"):
            pass
    response = await post(house, "/whip/other", offer(), {**SDP, **house.bearer("surgeon", "7QK2")})
    assert response.status == 403
    response = await post(
        house, "/whip/7QK2", offer(), {**SDP, **house.bearer("surgeon", audience=Audience.INVITE)}
    )
    assert response.status == 401
    narrowed = house.bearer("surgeon", rights=frozenset({Right.SUBSCRIBE}))
    assert (await post(house, "/whip/7QK2", offer(), {**SDP, **narrowed})).status == 403


async def test_unknown_room_and_nothing_published(house: House) -> None:
    watcher = {**SDP, **house.bearer("observer")}
    response = await post(house, "/whep/7QK2", offer("recvonly"), watcher)
    async with problem(response, 404, "unknown_room"):
        pass
    await house.join("surgeon")
    response = await post(house, "/whep/7QK2", offer("recvonly"), watcher)
    async with problem(response, 409, "nothing_published"):
        assert int(response.headers["Retry-After"]) >= 1
    for malformed in ("v=1", offer("sendonly")):
        response = await post(house, "/whep/7QK2", malformed, watcher)
        async with problem(response, 400, "malformed_sdp"):
            pass
    response = await post(house, "/whip/%20x", offer(), {**SDP, **house.bearer("surgeon")})
    assert response.status == 404
    await publish(house)
    response = await post(house, "/whep/7QK2?source=nobody", offer("recvonly"), watcher)
    assert response.status == 409


async def test_a_full_room_and_a_draining_server_answer_503(open_house: OpenHouse) -> None:
    house = await open_house({"limits": {"participants_per_room": 1}})
    url, _, bearer = await publish(house)
    response = await post(house, "/whip/7QK2", offer(), {**SDP, **house.bearer("surgeon")})
    async with problem(response, 503, "room_full"):
        assert int(response.headers["Retry-After"]) >= 1
    await house.http.delete(url, headers=bearer)
    await house.server.drain()
    response = await post(house, "/whip/7QK2", offer(), {**SDP, **house.bearer("surgeon")})
    async with problem(response, 503, "draining"):
        assert int(response.headers["Retry-After"]) >= 1


# ---- PATCH ----


async def patch(house: House, url: str, body: str, **headers: str) -> aiohttp.ClientResponse:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    response = await house.http.patch(url, data=body, headers={**SDPFRAG, **sent})
    await response.read()
    return response


async def test_trickle(house: House) -> None:
    url, etag, bearer = await publish(house)
    response = await patch(house, url, CANDIDATE, If_Match=etag, **bearer)
    assert response.status == 204
    assert "ETag" not in response.headers
    async with problem(await patch(house, url, CANDIDATE, **bearer), 428, "precondition_required"):
        pass
    async with problem(
        await patch(house, url, CANDIDATE, If_Match='"x-1"', **bearer), 412, "precondition_failed"
    ):
        pass
    response = await house.http.patch(url, data=CANDIDATE, headers={**SDP, **bearer, "If-Match": etag})
    async with problem(response, 415, "unsupported_media_type"):
        pass
    assert (await patch(house, url, "\x00", If_Match=etag, **bearer)).status == 400
    assert (await patch(house, url, CANDIDATE, If_Match=etag)).status == 401


async def test_ice_restart(house: House) -> None:
    url, etag, bearer = await publish(house)
    response = await patch(house, url, FRAGMENT, If_Match="*", **bearer)
    assert response.status == 200
    assert response.content_type == "application/trickle-ice-sdpfrag"
    renewed = response.headers["ETag"]
    assert renewed != etag
    assert "a=ice-ufrag:" in await response.text()
    assert (await patch(house, url, CANDIDATE, If_Match=etag, **bearer)).status == 412
    assert (await patch(house, url, CANDIDATE, If_Match=renewed, **bearer)).status == 204
    assert (await patch(house, url, "a=mid:0\r\n", If_Match="*", **bearer)).status == 400
    async with house.http.get(url, headers=bearer) as kept:
        assert kept.headers["ETag"] == renewed, "a restart that failed changed nothing"


# ---- DELETE and the rest ----


@pytest.mark.parametrize("kind", ["whip", "whep"])
async def test_delete_ends_once(house: House, kind: str) -> None:
    url, _, bearer = await publish(house)
    if kind == "whep":
        bearer = house.bearer("observer")
        response = await post(house, "/whep/7QK2", offer("recvonly"), {**SDP, **bearer})
        url = house.url + response.headers["Location"]
    for status in (200, 404, 404):
        async with house.http.delete(url, headers={**bearer, "If-Match": '"anything"'}) as response:
            assert response.status == status
    assert len(house.parts.holders) == (0 if kind == "whip" else 1)


async def test_an_encoder_may_end_its_session_hours_later(house: House) -> None:
    url, etag, bearer = await publish(house)
    house.clock.ahead_seconds = 4 * 3600
    assert (await post(house, "/whip/7QK2", offer(), {**SDP, **bearer})).status == 401, "but begin none"
    assert (await patch(house, url, CANDIDATE, If_Match=etag, **bearer)).status == 204
    async with house.http.delete(url, headers=bearer) as response:
        assert response.status == 200


async def test_only_its_holder_may_touch_a_session(house: House) -> None:
    url, etag, bearer = await publish(house)
    for stranger in (house.bearer("surgeon"), house.bearer("staff"), house.bearer("surgeon", "other")):
        async with house.http.delete(url, headers=stranger) as response:
            assert response.status == 403
        assert (await patch(house, url, CANDIDATE, If_Match=etag, **stranger)).status == 403
    async with house.http.delete(url.replace("/whip/", "/whep/"), headers=bearer) as response:
        assert response.status == 404
    async with house.http.delete(url.replace("7QK2", "other"), headers=bearer) as response:
        assert response.status == 404
    async with house.http.delete(url, headers=bearer) as response:
        assert response.status == 200


async def test_options_get_and_other_methods(house: House) -> None:
    url, etag, bearer = await publish(house)
    endpoint = f"{house.url}/whip/7QK2"
    async with house.http.options(endpoint) as response:
        assert response.status == 204
        assert response.headers["Accept-Post"] == "application/sdp"
        assert "POST" in response.headers["Access-Control-Allow-Methods"]
        assert "Authorization" in response.headers["Access-Control-Allow-Headers"]
    async with house.http.options(url) as response:
        assert response.status == 204
        assert {"PATCH", "DELETE"} <= set(response.headers["Access-Control-Allow-Methods"].split(", "))
        assert "If-Match" in response.headers["Access-Control-Allow-Headers"]
    for method in ("GET", "HEAD"):
        async with house.http.request(method, endpoint) as response:
            assert response.status == 204
        async with house.http.request(method, url, headers=bearer) as response:
            assert response.status == 204
            assert response.headers["ETag"] == etag
    for target in (endpoint, url):
        async with house.http.put(target, data=b"", headers=bearer) as response:
            assert response.status == 405
            assert "GET" in response.headers["Allow"]


async def test_turn_credentials_are_told_on_options_only_with_a_token(open_house: OpenHouse) -> None:
    house = await open_house(
        {"ice_servers": [{"urls": ["turn:t.example"], "username": "u", "credential": "c"}]}
    )
    async with house.http.options(f"{house.url}/whip/7QK2") as response:
        assert "Link" not in response.headers
    async with house.http.options(f"{house.url}/whip/7QK2", headers=house.bearer()) as response:
        assert response.headers["Link"].startswith("<turn:t.example>")


async def test_a_lenient_server_takes_trickle_without_if_match_before_a_restart(
    open_house: OpenHouse,
) -> None:
    house = await open_house()
    object.__setattr__(house.parts, "lenient_trickle", True)
    url, _, bearer = await publish(house)
    assert (await patch(house, url, CANDIDATE, **bearer)).status == 204
    assert (await patch(house, url, FRAGMENT, If_Match="*", **bearer)).status == 200
    assert (await patch(house, url, CANDIDATE, **bearer)).status == 428


@pytest.mark.parametrize(
    "raw",
    [
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
        b"POST /whip/r HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /whip/r HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\na",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nX: a\r\n folded\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nX : a\r\n\r\n",
        b"POST /whip/r HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;a=\rb\r\n\r\n",
    ],
)
async def test_smuggling_is_refused(house: House, raw: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", house.listener.port)
    writer.write(raw + b"\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400", b"HTTP/1.1 401")), answer
    assert answer.count(b"HTTP/1.") == 1, "the second request is never executed"


@pytest.mark.parametrize("protocol", ["loupe.v1.json", "other"])
async def test_the_body_of_an_upgrade_is_no_request(open_house: OpenHouse, protocol: str) -> None:
    """Nor frames (06-reliability W23)."""
    house = await open_house(idle_seconds=0.3, header_seconds=0.3)
    smuggled = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    head = (
        "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Protocol: {protocol}\r\nContent-Length: {len(smuggled)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", house.listener.port)
    writer.write(head.encode() + smuggled)
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.") == 1, "the second request is never executed"
