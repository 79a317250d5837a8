"""What real publishers send is recorded whole: every codec by an encoder as it is distributed, and over a
link that loses."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import av
import pytest

from mediaserver.recording.folder import RecordingFolder
from mediaserver.recording.manifest import verify
from mediaserver.recording.reader import Recording as Reader
from mediaserver.recording.reader import Segment
from tests.interop.test_ffmpeg import encoder
from tests.interop.test_poor_links import Theatre
from tests.interop.test_wrtc import Camera, gathered, only
from tests.recording_room import RecordingServer, procedure
from tests.relay import relay, through
from tests.running import Client, HttpSession, until
from tests.server_kills import check_playable, marks_of

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.xdist_group("chromium")]
RECORDED_SECONDS = 6.0
LOSSY_SECONDS = 60.0
UP_LOSS = ("--delay-ms", "50", "--up-loss", "iid:0.05")
"""One packet in twenty is lost on its way to the server; a round trip takes 100 ms."""
LEAST_HELD = 0.999


@pytest.fixture
async def recording(tmp_path: Path) -> AsyncIterator[Client]:
    server = RecordingServer.begin(tmp_path)
    try:
        async with Client(server) as client:
            yield client
    finally:
        server.stop()


async def recorded(http: Client, room: str, publications: int, seconds: float) -> Reader:
    """The room's recording of so long, sealed and verified, once so much is published."""
    server = http.server
    assert isinstance(server, RecordingServer)

    async def flows() -> bool:
        headers = server.bearer(room, "moderator")
        response = await http.request("GET", f"/api/v1/rooms/{room}", headers=headers)
        return response.status == 200 and len((await response.json())["publications"]) == publications

    await until(flows, 25, f"{publications} publications")
    path, headers = f"/api/v1/rooms/{room}/recording", server.bearer(room)
    start = {"action": "start", "procedure": await procedure(http, room)}
    for wish, pause in ((start, seconds), ({"action": "stop"}, 0.0)):
        response = await http.request("POST", path, json=wish, headers=headers)
        assert response.status < 300, await response.text()
        await asyncio.sleep(pause)
    reader = await server.sealed()
    assert verify(RecordingFolder(server.data / "recordings" / reader.id), server.vault).closed
    return reader


def segments(reader: Reader, kind: str) -> tuple[Segment, ...]:
    """Of the track of this kind."""
    return reader.segments(next(track for track in reader.tracks if track.kind == kind))


async def answered(webrtc: Any, connection: Any, publishing: HttpSession, port: int | None = None) -> None:
    """The server's answer applied, over a relay's port where one is given."""
    sdp, own = publishing.answer, publishing.http.server.media_port
    sdp = sdp if port is None else through(sdp, own, port)
    await connection.set_remote_description(webrtc.RTCSessionDescriptionInit(type="answer", sdp=sdp))


@asynccontextmanager
async def filming(recording: Client, webrtc: Any, room: str, codec: str) -> AsyncIterator[None]:
    """libwebrtc publishes marked pictures of one codec."""
    camera, sender = Camera(webrtc), webrtc.RTCPeerConnection()
    try:
        transceiver = sender.add_transceiver(camera.track, webrtc.RTCRtpTransceiverInit(direction="sendonly"))
        only(webrtc, transceiver, codec)
        await answered(webrtc, sender, await recording.whip(room, await gathered(sender)))
        yield
    finally:
        camera.task.cancel()
        sender.close()
        await asyncio.gather(camera.task, return_exceptions=True)


@pytest.mark.parametrize("codec", ["VP8", "VP9", "AV1"])
async def test_what_libwebrtc_encodes_is_recorded(
    recording: Client, webrtc: Any, tmp_path: Path, codec: str
) -> None:
    room = recording.server.new_room()
    async with filming(recording, webrtc, room, codec):
        reader = await recorded(recording, room, 1, RECORDED_SECONDS)
    assert [track.codec for track in reader.tracks] == [codec]
    found = segments(reader, "video")
    for segment in found:
        await asyncio.to_thread(check_playable, reader, segment, tmp_path)
    assert {segment.media_type for segment in found} == {"video/webm"}
    assert sum(segment.lost for segment in found) == 0
    frames = [mark.frame for mark in marks_of(reader)]
    assert frames == sorted(set(frames))
    pictures = sum(segment.pictures for segment in found)
    print(f"{codec}: {pictures} pictures, {len(frames)} marks, {len(found)} segments")
    assert len(frames) >= 0.95 * pictures > 0
    assert sum(segment.duration_seconds for segment in found) > RECORDED_SECONDS / 2


async def test_what_ffmpeg_encodes_is_recorded(recording: Client, tmp_path: Path) -> None:
    room = recording.server.new_room()
    async with encoder(recording.server, room):
        reader = await recorded(recording, room, 2, RECORDED_SECONDS)
    assert {track.codec.lower() for track in reader.tracks} == {"h264", "opus"}
    lengths = {}
    for kind, media_type in (("video", "video/mp4"), ("audio", "audio/webm")):
        found = segments(reader, kind)
        assert {segment.media_type for segment in found} == {media_type}
        assert sum(segment.lost for segment in found) == 0
        lengths[kind] = sum(segment.duration_seconds for segment in found)
        for segment in found:
            await asyncio.to_thread(check_playable, reader, segment, tmp_path)
            with av.open(io.BytesIO(reader.read(segment, 0, segment.size)), "r") as file:
                assert sum(1 for _ in file.decode()) >= segment.pictures
    print(f"H.264 and Opus: {lengths}")
    assert min(lengths.values()) > RECORDED_SECONDS / 2


@asynccontextmanager
async def staging(http: Client, webrtc: Any, room: str, link: Sequence[str]) -> AsyncIterator[None]:
    """libwebrtc publishes three layers of a restless picture, and sound, over this link."""
    theatre = Theatre(webrtc)
    try:
        with relay(http.server.media_port, link) as port:
            publishing = await http.whip(room, await gathered(theatre.connection))
            await answered(webrtc, theatre.connection, publishing, port)
            yield
    finally:
        with contextlib.suppress(asyncio.CancelledError):
            await theatre.close()


@pytest.mark.timeout(200)
async def test_a_twentieth_lost_on_the_way_is_asked_for_and_held(recording: Client, webrtc: Any) -> None:
    room = recording.server.new_room()
    async with staging(recording, webrtc, room, UP_LOSS):
        reader = await recorded(recording, room, 2, LOSSY_SECONDS)
    found = segments(reader, "video")
    packets, lost = sum(one.packets for one in found), sum(one.lost for one in found)
    print(f"held {packets / (packets + lost):.4%} of {packets + lost} packets of the picture")
    assert packets > 20 * LOSSY_SECONDS
    assert packets / (packets + lost) >= LEAST_HELD
