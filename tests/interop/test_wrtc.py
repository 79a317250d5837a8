"""libwebrtc (``wrtc``) publishes VP8, VP9 and AV1 by WHIP and watches by WHEP, with no browser around it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from signalling.demo import marks
from signalling.demo.marks import Mark
from tests.media import Seen, assert_in_order, now_ms
from tests.running import Client, until

pytestmark = [pytest.mark.interop, pytest.mark.xdist_group("chromium")]
WIDTH, HEIGHT, FRAMES_PER_SECOND = 640, 360, 15
LARGE = (960, 540)
"""The least that libwebrtc sends in three layers."""


class Camera:
    """A track of pictures with marks."""

    def __init__(self, webrtc: Any, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
        self._webrtc = webrtc
        self._size = size
        self._generator = webrtc.VideoTrackGenerator()
        self.track = self._generator.track
        self.task = asyncio.get_running_loop().create_task(self._film())

    async def _film(self) -> None:
        writer = self._generator.writable.get_writer()
        width, height = self._size
        chroma = np.full(width * height // 2, 128, np.uint8).tobytes()
        slope = np.tile(np.linspace(60, 180, width, dtype=np.uint8), (height, 1))
        number = 0
        while True:
            picture = np.repeat(slope[:, :, np.newaxis], 3, axis=2)
            marks.draw(picture, Mark(number, now_ms()))
            init = self._webrtc.VideoFrameBufferInit(
                format="I420",
                coded_width=width,
                coded_height=height,
                timestamp=number * 1_000_000 // FRAMES_PER_SECOND,
            )
            await writer.write(self._webrtc.VideoFrame(picture[:, :, 0].tobytes() + chroma, init))
            number += 1
            await asyncio.sleep(1 / FRAMES_PER_SECOND)


class Screen:
    """Reads the marks of a received track."""

    def __init__(self, webrtc: Any, track: Any) -> None:
        self.seen: list[Seen] = []
        self.widths: list[int] = []
        """One after the other."""
        self.smeared = 0
        self._webrtc = webrtc
        self._reader = webrtc.MediaStreamTrackProcessor(
            webrtc.MediaStreamTrackProcessorInit(track=track)
        ).readable.get_reader()
        self.task = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        while not (result := await self._reader.read()).done:
            frame = result.value
            pixels = bytearray(frame.allocation_size())
            [luma, *_] = await frame.copy_to(pixels)
            width, height = int(frame.coded_width), int(frame.coded_height)
            rows = np.frombuffer(pixels, np.uint8, luma.stride * height, luma.offset).reshape(
                height, luma.stride
            )
            frame.close()
            if self.widths[-1:] != [width]:
                self.widths.append(width)
            mark = marks.read(rows[:, :width])
            if mark is None:
                self.smeared += 1
            else:
                self.seen.append(Seen(mark, now_ms(), self.smeared))
                self.smeared = 0


async def gathered(connection: Any) -> str:
    """The offer with its candidates."""
    await connection.set_local_description(await connection.create_offer())
    await until(lambda: connection.ice_gathering_state == "complete", 10, "gathering")
    return str(connection.local_description.sdp)


def only(webrtc: Any, transceiver: Any, codec: str) -> None:
    """Offers no other codec."""
    known = webrtc.RTCRtpSender.get_capabilities("video").codecs
    wanted = [one for one in known if one.mime_type in (f"video/{codec}", "video/rtx")]
    transceiver.set_codec_preferences(wanted)


@asynccontextmanager
async def watched(
    http: Client, webrtc: Any, room: str, camera: Camera, codec: str, layers: Sequence[str] = ()
) -> AsyncIterator[Screen]:
    """What one libwebrtc sees of another's camera; both end their sessions."""
    sender, watcher = webrtc.RTCPeerConnection(), webrtc.RTCPeerConnection()
    tasks = [camera.task]
    encodings = [
        webrtc.RTCRtpEncodingParameters(rid=rid, scale_resolution_down_by=2.0**below)
        for below, rid in reversed(list(enumerate(reversed(layers))))
    ]
    try:
        init = webrtc.RTCRtpTransceiverInit(direction="sendonly", send_encodings=encodings)
        only(webrtc, sender.add_transceiver(camera.track, init), codec)
        publishing = await http.whip(room, await gathered(sender))
        await sender.set_remote_description(
            webrtc.RTCSessionDescriptionInit(type="answer", sdp=publishing.answer)
        )
        watcher.add_transceiver("video", webrtc.RTCRtpTransceiverInit(direction="recvonly"))
        watching = await http.whep(room, await gathered(watcher))
        await watcher.set_remote_description(
            webrtc.RTCSessionDescriptionInit(type="answer", sdp=watching.answer)
        )
        screen = Screen(webrtc, watcher.get_transceivers()[0].receiver.track)
        tasks.append(screen.task)
        yield screen
        assert await watching.delete() == 200
        assert await publishing.delete() == 200
    finally:
        sender.close()
        watcher.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("codec", ["VP8", "VP9", "AV1"])
async def test_libwebrtc_publishes_and_watches(http: Client, webrtc: Any, codec: str) -> None:
    room = http.server.new_room()
    async with watched(http, webrtc, room, Camera(webrtc), codec) as screen:
        await frames(screen, 10)
        seen = await frames(screen, 45)
        # libwebrtc's encoder may leave out frames while it looks for the bandwidth.
        assert_in_order(seen, loss=0.15)
        assert max(one.age_ms for one in seen) < 1_500
        assert (await http.room(room))["publications"][0]["codec"] == codec


async def test_libwebrtc_publishes_layers(http: Client, webrtc: Any) -> None:
    room = http.server.new_room()
    async with watched(http, webrtc, room, Camera(webrtc, LARGE), "VP8", ["l", "m", "h"]) as screen:

        async def all_flow() -> bool:
            [picture] = (await http.room(room))["publications"]
            return bool(picture["layers"] == [0, 1, 2])

        await until(all_flow, 25, "three layers flow")
        await until(lambda: screen.widths[-1:] == [LARGE[0]], 25, "the highest is seen")
        # The picture at which the layers change may be seen in both.
        _, *seen = await frames(screen, 31)
        # A busy machine's encoder leaves out frames, and whole layers for a while.
        assert_in_order(seen, loss=0.5)


async def frames(screen: Screen, count: int) -> list[Seen]:
    """The next marks."""
    start = len(screen.seen)
    enough: Callable[[], bool] = lambda: len(screen.seen) >= start + count  # noqa: E731
    await until(enough, 25, f"{count} frames after {start}")
    return screen.seen[start:]
