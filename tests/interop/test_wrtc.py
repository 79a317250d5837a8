"""libwebrtc (``wrtc``) publishes VP8, VP9 and AV1 by WHIP and watches by WHEP, with no browser around it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from signalling.demo import marks
from signalling.demo.marks import Mark
from tests.media import Seen, assert_in_order, now_ms
from tests.running import Client, until

pytestmark = [pytest.mark.interop, pytest.mark.xdist_group("chromium")]
WIDTH, HEIGHT, FRAMES_PER_SECOND = 640, 360, 15


class Camera:
    """A track of pictures with marks."""

    def __init__(self, webrtc: Any) -> None:
        self._webrtc = webrtc
        self._generator = webrtc.VideoTrackGenerator()
        self.track = self._generator.track
        self.task = asyncio.get_running_loop().create_task(self._film())

    async def _film(self) -> None:
        writer = self._generator.writable.get_writer()
        chroma = np.full(WIDTH * HEIGHT // 2, 128, np.uint8).tobytes()
        slope = np.tile(np.linspace(60, 180, WIDTH, dtype=np.uint8), (HEIGHT, 1))
        number = 0
        while True:
            picture = np.repeat(slope[:, :, np.newaxis], 3, axis=2)
            marks.draw(picture, Mark(number, now_ms()))
            init = self._webrtc.VideoFrameBufferInit(
                format="I420",
                coded_width=WIDTH,
                coded_height=HEIGHT,
                timestamp=number * 1_000_000 // FRAMES_PER_SECOND,
            )
            await writer.write(self._webrtc.VideoFrame(picture[:, :, 0].tobytes() + chroma, init))
            number += 1
            await asyncio.sleep(1 / FRAMES_PER_SECOND)


class Screen:
    """Reads the marks of a received track."""

    def __init__(self, webrtc: Any, track: Any) -> None:
        self.seen: list[Seen] = []
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


@pytest.mark.parametrize("codec", ["VP8", "VP9", "AV1"])
async def test_libwebrtc_publishes_and_watches(http: Client, webrtc: Any, codec: str) -> None:
    room = http.server.new_room()
    camera = Camera(webrtc)
    sender, watcher = webrtc.RTCPeerConnection(), webrtc.RTCPeerConnection()
    screens: list[Screen] = []
    try:
        init = webrtc.RTCRtpTransceiverInit(direction="sendonly")
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
        screens.append(Screen(webrtc, watcher.get_transceivers()[0].receiver.track))
        await frames(screens[0], 10)
        seen = await frames(screens[0], 45)
        # libwebrtc's encoder may leave out frames while it looks for the bandwidth.
        assert_in_order(seen, loss=0.15)
        assert max(one.age_ms for one in seen) < 1_500
        assert (await http.room(room))["publications"][0]["codec"] == codec
        assert await watching.delete() == 200
        assert await publishing.delete() == 200
    finally:
        camera.task.cancel()
        sender.close()
        watcher.close()
        for screen in screens:
            screen.task.cancel()
        await asyncio.gather(camera.task, *(screen.task for screen in screens), return_exceptions=True)


async def frames(screen: Screen, count: int) -> list[Seen]:
    """The next marks."""
    start = len(screen.seen)
    enough: Callable[[], bool] = lambda: len(screen.seen) >= start + count  # noqa: E731
    await until(enough, 25, f"{count} frames after {start}")
    return screen.seen[start:]
