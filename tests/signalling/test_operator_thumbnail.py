"""One picture for an operator: only where it is switched on, the right one, audited, and never for free."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping

import cv2
import numpy as np
import pytest
from aiortc import RTCRtpSender, RTCSessionDescription

from mediaserver.errors import UnknownRoom
from mediaserver.quality import control, wanted
from signalling import watchers
from signalling.demo.marks import Mark, Picture
from signalling.demo.tracks import DrawnTrack
from signalling.operator_actions import TAKEN_AT
from tests.media import Peer, publisher
from tests.mediaserver.quality import material
from tests.running import until
from tests.signalling.conftest import House, OpenHouse
from tests.signalling.test_api import call
from tests.signalling.test_decisions import decide, opened
from tests.signalling.test_operator_actions import OPERATIONS, acted, published

COLOURS = {"VP8": (40, 200, 60), "H264": (200, 60, 160)}
"""Blue, green, red of what each source shows in its left half; its right half is grey."""


def path(room: str, publication: str) -> str:
    return f"{OPERATIONS}/rooms/{room}/publications/{publication}/thumbnail"


def drawn(codec: str) -> Picture:
    picture = material.endoscope(1)[0]
    picture = np.asarray(cv2.resize(picture, (640, 360)), np.uint8)
    picture[:, :320] = COLOURS[codec]
    return picture


@contextlib.asynccontextmanager
async def source(house: House, room: str, codec: str) -> AsyncIterator[tuple[Peer, str]]:
    """A publisher by WHIP, and its publication."""
    picture = drawn(codec)

    def draw(_: float, __: Mark) -> Picture:
        return picture

    async with publisher(DrawnTrack(draw, 15)) as peer:
        capabilities = RTCRtpSender.getCapabilities("video").codecs
        wished = [one for one in capabilities if one.mimeType == f"video/{codec}"]
        peer.connection.getTransceivers()[0].setCodecPreferences(wished)
        headers = {**house.bearer("staff", room), "Content-Type": "application/sdp"}
        url = f"{house.url}/whip/{room}"
        async with house.http.post(url, data=await peer.offer(), headers=headers) as response:
            answer = await response.text()
            assert response.status == 201, answer
        await peer.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await peer.connected()
        (publication,) = house.server.rooms[room].publications  # type: ignore[index]
        yield peer, publication


async def asked(house: House, room: str, publication: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body."""
    headers = house.bearer("operator", "*")
    async with house.http.post(house.url + path(room, publication), json={}, headers=headers) as response:
        return response.status, dict(response.headers), await response.read()


def looked(house: House, room: str) -> Mapping[str, int]:
    """When each source of a room was looked at, as operators are told."""
    try:
        return house.parts.operations.room(room).looked_ms
    except UnknownRoom:
        return {}


def check_shows(body: bytes, codec: str) -> None:
    shown = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert shown.shape == (144, 256, 3)
    left = shown[:, 8:120].reshape(-1, 3).mean(axis=0)
    assert np.abs(left - COLOURS[codec]).max() < 20, left
    expected = np.asarray(cv2.resize(drawn(codec), (256, 144), interpolation=cv2.INTER_AREA), np.int16)
    assert np.abs(shown[:, 136:].astype(np.int16) - expected[:, 136:]).mean() < 12


async def test_there_is_none_by_default_and_asking_is_audited(house: House) -> None:
    _, _, publication = await published(house)
    async with watchers.running(house.parts, house.url):
        status, problem = await call(
            house, "POST", path("7QK2", publication), house.bearer("operator", "*"), {}
        )
        assert (status, problem["code"]) == (404, "thumbnails_off")
        _, board = await call(house, "GET", f"{OPERATIONS}/board", house.bearer("operator", "*"))
        assert board["server"]["pictures"]["thumbnails"] is False
    assert await acted(house) == [("failed", "7QK2", {"action": "thumbnail", "code": "thumbnails_off"})]


async def test_without_a_probe_there_is_none(open_house: OpenHouse) -> None:
    house = await open_house({"watch": {"pictures": False, "thumbnails": True}})
    _, _, publication = await published(house)
    async with watchers.running(house.parts, house.url):
        status, _, body = await asked(house, "7QK2", publication)
    assert (status, b"thumbnails_off" in body) == (404, True)


async def test_without_the_patients_consent_there_is_none(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "SYNC_SECONDS", 60)  # what comes later is not watched
    house = await open_house({"watch": {"thumbnails": True}})
    async with watchers.running(house.parts, house.url):
        await asyncio.sleep(0)
        _, _, publication = await published(house)
        procedure = await opened(house)
        status, _, body = await asked(house, "7QK2", publication)
        assert (status, b"outside_viewers_not_consented" in body) == (403, True)
        await decide(house, procedure, "outside_viewers")
        status, _, body = await asked(house, "7QK2", publication)
        assert (status, b"picture_not_watched" in body) == (409, True)
    outcomes = [(outcome, details["code"]) for outcome, _, details in await acted(house)]
    assert outcomes == [("denied", "outside_viewers_not_consented"), ("failed", "picture_not_watched")]


async def test_each_shows_its_source_and_is_audited(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "SYNC_SECONDS", 0.2)
    house = await open_house({"watch": {"thumbnails": True}})
    async with (
        watchers.running(house.parts, house.url),
        source(house, "a", "VP8") as (peer, of_vp8),
        source(house, "b", "H264") as (_, of_h264),
    ):
        probe = house.parts.operations.probe
        assert probe is not None
        await until(lambda: probe.figures().watched == 2, 10, "both are watched")
        for room, publication, codec in (("a", of_vp8, "VP8"), ("b", of_h264, "H264")):
            before_ms = time.time() * 1000 - 1
            status, headers, body = await asked(house, room, publication)
            assert (status, headers["Content-Type"]) == (200, "image/jpeg"), body
            assert headers["Cache-Control"] == "no-store"
            assert before_ms <= int(headers[TAKEN_AT]) <= time.time() * 1000
            check_shows(body, codec)
        await until(lambda: of_vp8 in looked(house, "a"), 10, "the desk has taken a second of the room")
        assert abs(looked(house, "a")[of_vp8] - time.time() * 1000) < 60_000

        # Nobody has more than one at a time, or what is not there.
        twice = await asyncio.gather(*(asked(house, "a", of_vp8) for _ in range(3)))
        assert sorted(status for status, _, _ in twice) == [200, 429, 429]
        assert (await asked(house, "a", of_h264))[0] == 404
        assert (await asked(house, "a", "x" * 65))[0] == 404
        assert (await asked(house, "nowhere", of_vp8))[0] == 404

        # A source that says nothing any more.
        monkeypatch.setattr(wanted, "LIMIT_SECONDS", 0.3)
        peer.connection.getSenders()[0].replaceTrack(None)
        await asyncio.sleep(0.2)
        status, _, body = await asked(house, "a", of_vp8)
        assert (status, b"no_picture_yet" in body) == (504, True)

        # One that ends meanwhile.
        monkeypatch.setattr(wanted, "LIMIT_SECONDS", 30)
        waiting = asyncio.create_task(asked(house, "a", of_vp8))
        await asyncio.sleep(0.1)
        house.server.actions.close_room("a", "test")  # type: ignore[arg-type]
        status, _, body = await waiting
        assert (status, b"picture_not_watched" in body) == (409, True)
    told = [(outcome, room, details.get("code")) for outcome, room, details in await acted(house)]
    assert sorted(told, key=str) == sorted(
        [
            ("success", "a", None),
            ("success", "b", None),
            ("success", "a", None),
            *[("failed", "a", "limit_reached")] * 2,
            *[("failed", "a", "unknown_publication")] * 2,
            ("failed", "nowhere", "unknown_room"),
            ("failed", "a", "no_picture_yet"),
            ("failed", "a", "picture_not_watched"),
        ],
        key=str,
    )
