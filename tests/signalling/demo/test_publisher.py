"""The synthetic theatre joins a real server and publishes like any client."""

from __future__ import annotations

import asyncio
from pathlib import Path

import av
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection
from aiortc.mediastreams import MediaStreamTrack

from mediaserver.ids import RoomId
from signalling.client import Client, Refused
from signalling.demo import publisher
from signalling.demo.marks import Mark
from signalling.demo.pictures import Endoscope
from signalling.messages import PROTOCOL
from tests.signalling.conftest import House


def kinds(found: list[tuple[MediaStreamTrack, str, str]]) -> list[tuple[str, str]]:
    return [(track.kind, source_type) for track, _, source_type in found]


async def test_what_the_theatre_shows() -> None:
    found = publisher.sources(None)
    assert kinds(found) == [("video", "endoscope"), ("video", "monitor"), ("audio", "microphone")]
    for track, _, _ in found:
        track.stop()


async def test_a_film_takes_the_place_of_the_endoscope(tmp_path: Path) -> None:
    film = tmp_path / "film.mkv"
    with av.open(film, "w") as container:
        stream = container.add_stream("libvpx", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        picture = Endoscope(320, 240).draw(0, Mark(1, 2))
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
    found = publisher.sources(str(film))
    frame = await asyncio.wait_for(found[0][0].recv(), 10)
    assert isinstance(frame, av.VideoFrame)
    assert (frame.width, frame.height) == (320, 240)
    assert kinds(found)[2] == ("audio", "microphone"), "a silent film is given the voice"
    for track, _, _ in found:
        track.stop()


async def test_it_joins_and_publishes_everything(house: House) -> None:
    async with house.http.ws_connect(f"{house.url}/ws", protocols=(PROTOCOL,)) as socket:
        client = Client(socket)
        reading = asyncio.create_task(client.read())
        await client.request("join", token=house.token("surgeon"), name="Theatre")
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        try:
            await publisher.publish(client, connection, None)
            room = house.server.rooms[RoomId("7QK2")].info()
            assert [(one.kind, one.source_type) for one in room.publications] == [
                ("video", "endoscope"),
                ("video", "monitor"),
                ("audio", "microphone"),
            ]
            async with asyncio.timeout(20):
                while connection.connectionState != "connected":  # noqa: ASYNC110 - it connects by itself
                    await asyncio.sleep(0.01)
            with pytest.raises(Refused):
                await client.request("mute", publication="nothing", muted=True)
        finally:
            await connection.close()
    await reading
