"""WHEP's extensions over real HTTP: who may follow and choose layers, and what they are told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from signalling.whep_layers import Layer, Stream
from tests.signalling.conftest import House
from tests.signalling.offers import offer

SDP = {"Content-Type": "application/sdp"}


async def watch(house: House) -> tuple[dict[str, str], dict[str, str], str]:
    """A viewer of an encoder: the extensions by name, their bearer, the session."""
    headers = {**SDP, **house.bearer("staff", name="scope")}
    async with house.http.post(f"{house.url}/whip/7QK2", data=offer(), headers=headers) as published:
        assert published.status == 201
    bearer = house.bearer("observer")
    async with house.http.post(
        f"{house.url}/whep/7QK2", data=offer("recvonly"), headers={**SDP, **bearer}
    ) as response:
        assert response.status == 201
        offered = {}
        for link in response.headers.getall("Link"):
            url, _, rest = link.partition(">; ")
            offered[rest.split('"')[1].rpartition(":")[2]] = house.url + url.removeprefix("<")
        return offered, bearer, house.url + response.headers["Location"]


async def choose(house: House, url: str, bearer: dict[str, str], wish: Any) -> tuple[int, dict[str, Any]]:
    async with house.http.post(url, json=wish, headers=bearer) as response:
        return response.status, await response.json(content_type=None) if response.status != 200 else {}


async def test_both_are_offered(house: House) -> None:
    offered, _, session = await watch(house)
    assert offered == {"layer": f"{session}/layer", "server-sent-events": f"{session}/sse"}


async def open_stream(house: House, url: str, bearer: dict[str, str], wanted: Any = None) -> str:
    async with house.http.post(url, json=wanted, headers=bearer) as response:
        assert response.status == 201
        return house.url + response.headers["Location"]


async def test_a_stream_tells_what_is_there_and_ends_with_the_session(house: House) -> None:
    offered, bearer, session = await watch(house)
    first = await open_stream(house, offered["server-sent-events"], bearer, ["layers", "viewercount"])
    url = await open_stream(house, offered["server-sent-events"], bearer, ["active", "inactive"])
    async with house.http.get(first) as displaced:
        assert displaced.status == 404
    async with house.http.get(url) as stream:
        assert stream.status == 200
        assert stream.content_type == "text/event-stream"
        # Nothing is sent before the transport can carry it, so nothing is there to be chosen yet.
        async with house.http.delete(session, headers=bearer) as ended:
            assert ended.status == 200
        assert await asyncio.wait_for(stream.read(), 5) == b""
    async with house.http.get(url) as over:
        assert over.status == 404


async def test_a_stream_can_be_ended(house: House) -> None:
    offered, bearer, _ = await watch(house)
    url = await open_stream(house, offered["server-sent-events"], bearer, [])
    async with house.http.get(f"{url}x") as guessed:
        assert guessed.status == 404
    async with house.http.delete(url) as ended:
        assert ended.status == 200
    async with house.http.delete(url) as again:
        assert again.status == 404


async def test_only_the_viewer_chooses(house: House) -> None:
    offered, bearer, _ = await watch(house)
    assert (await choose(house, offered["layer"], bearer, {"mediaId": "0"}))[0] == 200
    assert (await choose(house, offered["layer"], {}, {"mediaId": "0"}))[0] == 401
    other = house.bearer("observer", subject="somebody else")
    assert (await choose(house, offered["layer"], other, {"mediaId": "0"}))[0] == 403
    async with house.http.post(offered["server-sent-events"], headers=other) as response:
        assert response.status == 403


@pytest.mark.parametrize(
    ("wish", "status", "field"),
    [
        ({"rid": "0"}, 404, "$.rid"),  # nothing flows yet
        ({"rid": "hd"}, 400, "$.rid"),
        ({"mediaId": "1"}, 404, "$.mediaId"),  # the sound
        ({"mediaId": "7"}, 404, "$.mediaId"),
        ({"maxHeight": 360}, 400, "$.maxHeight"),
        (["0"], 400, "$"),
    ],
)
async def test_what_cannot_be_chosen_is_refused(house: House, wish: Any, status: int, field: str) -> None:
    offered, bearer, _ = await watch(house)
    found, body = await choose(house, offered["layer"], bearer, wish)
    assert (found, body.get("field")) == (status, field), body


def told(*rates: int) -> dict[str, list[Layer]]:
    return {"0": [Layer(str(place), rate) for place, rate in enumerate(rates)]}


def test_only_what_changed_noticeably_is_told() -> None:
    stream = Stream(None, frozenset({"active", "inactive", "layers"}))  # type: ignore[arg-type]
    stream.begin()
    assert stream.news({}) == b""
    assert stream.news(told(0, 500)) == (
        b"event: active\ndata: {}\n\n"
        b'event: layers\ndata: {"0":[{"rid":"0","bitrate":0},{"rid":"1","bitrate":500}]}\n\n'
    )
    assert stream.news(told(0, 510)) == b""
    assert stream.news(told(100, 510)).startswith(b"event: layers\n")
    assert stream.news({}) == b"event: inactive\ndata: {}\n\n"
    # Who comes later is told what is.
    stream.begin()
    assert stream.news(told(100)).startswith(b"event: active\n")


def test_what_was_not_asked_for_is_not_told() -> None:
    stream = Stream(None, frozenset({"inactive"}))  # type: ignore[arg-type]
    assert stream.news(told(1)) == b""
    assert stream.news({}) == b"event: inactive\ndata: {}\n\n"
