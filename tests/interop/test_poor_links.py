"""libwebrtc (``wrtc``) watches over emulated links: few checks in real time, tolerant, figures printed."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from tests.relay import S1, S3, S3_UP, S5, relay, through
from tests.running import Client, HttpSession, until

pytestmark = [pytest.mark.interop, pytest.mark.xdist_group("chromium")]
WIDTH, HEIGHT, FRAMES_PER_SECOND = 960, 540, 12
SOUND_RATE, SOUND_FRAMES = 48_000, 480
LADDER = (("l", 4, 150_000), ("m", 2, 500_000), ("h", 1, 1_700_000))


class Theatre:
    """A restless picture in three layers, and a tone."""

    def __init__(self, webrtc: Any) -> None:
        self._webrtc = webrtc
        self._camera = webrtc.VideoTrackGenerator()
        self._microphone = webrtc.MediaStreamTrackGenerator(
            webrtc.MediaStreamTrackGeneratorInit(kind="audio")
        )
        loop = asyncio.get_running_loop()
        self.tasks = [loop.create_task(self._film()), loop.create_task(self._sound())]
        self.connection = webrtc.RTCPeerConnection()
        encodings = [
            webrtc.RTCRtpEncodingParameters(rid=rid, scale_resolution_down_by=by, max_bitrate=rate)
            for rid, by, rate in LADDER
        ]
        init = webrtc.RTCRtpTransceiverInit(direction="sendonly", send_encodings=encodings)
        video = self.connection.add_transceiver(self._camera.track, init)
        known = webrtc.RTCRtpSender.get_capabilities("video").codecs
        video.set_codec_preferences([one for one in known if one.mime_type in ("video/VP8", "video/rtx")])
        self.connection.add_transceiver(self._microphone, webrtc.RTCRtpTransceiverInit(direction="sendonly"))

    async def _film(self) -> None:
        writer, random = self._camera.writable.get_writer(), np.random.default_rng(1)
        chroma = np.full(WIDTH * HEIGHT // 2, 128, np.uint8).tobytes()
        luma, number = np.full((HEIGHT, WIDTH), 90, np.uint8), 0
        while True:
            for x, y, shade in random.integers((WIDTH - 60, HEIGHT - 40, 255), size=(40, 3)):
                luma[y : y + 40, x : x + 60] = shade
            init = self._webrtc.VideoFrameBufferInit(
                format="I420",
                coded_width=WIDTH,
                coded_height=HEIGHT,
                timestamp=number * 1_000_000 // FRAMES_PER_SECOND,
            )
            await writer.write(self._webrtc.VideoFrame(luma.tobytes() + chroma, init))
            number += 1
            await asyncio.sleep(1 / FRAMES_PER_SECOND)

    async def _sound(self) -> None:
        writer, number = self._microphone.writable.get_writer(), 0
        tone = np.sin(np.arange(SOUND_FRAMES) * 2 * math.pi * 500 / SOUND_RATE) * 8_000
        samples = tone.astype(np.int16).tobytes()
        began = asyncio.get_running_loop().time()
        while True:
            init = self._webrtc.AudioDataInit(
                format="s16",
                sample_rate=SOUND_RATE,
                number_of_frames=SOUND_FRAMES,
                number_of_channels=1,
                timestamp=number * 10_000,
                data=samples,
            )
            await writer.write(self._webrtc.AudioData(init))
            number += 1
            due = began + number * SOUND_FRAMES / SOUND_RATE
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))

    async def close(self) -> None:
        """Stops filming."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.connection.close()


@dataclass(frozen=True)
class Counted:
    """What the viewer's getStats had counted at one moment."""

    at: float
    frames: int
    height: int
    frozen_seconds: float
    concealed: int
    samples: int

    def since(self, before: Counted) -> str:
        """Figures of the time between."""
        return (
            f"{self.pace(before):.1f} fps at {self.height} lines, frozen {self.frozen(before):.1%}, "
            f"concealed {self.hidden(before):.2%}"
        )

    def pace(self, before: Counted) -> float:
        """Frames a second."""
        return (self.frames - before.frames) / (self.at - before.at)

    def frozen(self, before: Counted) -> float:
        """Share of the time."""
        return (self.frozen_seconds - before.frozen_seconds) / (self.at - before.at)

    def hidden(self, before: Counted) -> float:
        """Share of the sound that was made up."""
        return (self.concealed - before.concealed) / max(self.samples - before.samples, 1)


async def count(watcher: Any) -> Counted:
    """Reads getStats."""
    report = await watcher.get_stats()
    inbound = {one.kind: one for one in report.values() if type(one).__name__ == "RTCInboundRtpStreamStats"}

    def told(kind: str, name: str) -> Any:
        return getattr(inbound.get(kind), name, None) or 0

    return Counted(
        at=asyncio.get_running_loop().time(),
        frames=told("video", "frames_decoded"),
        height=told("video", "frame_height"),
        frozen_seconds=told("video", "total_freezes_duration"),
        concealed=told("audio", "concealed_samples"),
        samples=told("audio", "total_samples_received"),
    )


async def gathered(connection: Any) -> str:
    """The offer with its candidates."""
    await connection.set_local_description(await connection.create_offer())
    await until(lambda: connection.ice_gathering_state == "complete", 10, "gathering")
    return str(connection.local_description.sdp)


@asynccontextmanager
async def watching(
    http: Client, webrtc: Any, link: Sequence[str], *, uplink: bool = False
) -> AsyncIterator[Any]:
    """A viewer by WHEP; this link is theirs, or the theatre's ``uplink``."""
    room, theatre, watcher = http.server.new_room(), Theatre(webrtc), webrtc.RTCPeerConnection()
    media_port = http.server.media_port

    async def connect(connection: Any, session: HttpSession, port: int) -> None:
        sdp = through(session.answer, media_port, port)
        await connection.set_remote_description(webrtc.RTCSessionDescriptionInit(type="answer", sdp=sdp))

    async def flows() -> bool:
        found = (await http.room(room))["publications"]
        return any(one["layers"] == [0, 1, 2] or (uplink and 0 in one["layers"]) for one in found)

    with ExitStack() as links:
        # Its times count from here where it is the theatre's, else from the viewer's coming.
        up = links.enter_context(relay(media_port, link)) if uplink else media_port
        try:
            publishing = await http.whip(room, await gathered(theatre.connection))
            await connect(theatre.connection, publishing, up)
            await until(flows, 25, "the layers")
            for kind in ("video", "audio"):
                watcher.add_transceiver(kind, webrtc.RTCRtpTransceiverInit(direction="recvonly"))
            down = media_port if uplink else links.enter_context(relay(media_port, link))
            await connect(watcher, await http.whep(room, await gathered(watcher)), down)
            yield watcher
        finally:
            watcher.close()
            await theatre.close()


async def reaches(watcher: Any, height: int, seconds: float) -> None:
    """Until the picture has this height."""

    async def there() -> bool:
        return (await count(watcher)).height == height

    await until(there, seconds, f"{height} lines")


async def measured(watcher: Any, name: str, seconds: float) -> tuple[Counted, Counted]:
    """What is counted now and in so many seconds; their figures are printed."""
    start = await count(watcher)
    await asyncio.sleep(seconds)
    end = await count(watcher)
    print(f"{name}:", end.since(start))
    return start, end


async def test_a_tenth_of_all_packets_lost_costs_no_layer(http: Client, webrtc: Any) -> None:
    """S5: loss without a queue is no congestion."""
    async with watching(http, webrtc, S5) as watcher:
        await reaches(watcher, HEIGHT, 15)
        start, end = await measured(watcher, "S5", 8)
        assert end.height == HEIGHT
        assert end.frozen(start) < 0.4
        assert end.pace(start) > FRAMES_PER_SECOND / 3
        assert end.hidden(start) < 0.25


@pytest.mark.slow
async def test_a_thin_lossy_link_carries_sound_and_the_lowest_layer(http: Client, webrtc: Any) -> None:
    """S1: 300 kbit/s with bursts of loss."""
    async with watching(http, webrtc, S1) as watcher:
        await reaches(watcher, HEIGHT // 4, 15)
        await asyncio.sleep(5)
        start, end = await measured(watcher, "S1", 30)
        assert end.height == HEIGHT // 4
        assert end.frozen(start) < 0.5
        assert end.pace(start) > 1
        assert end.hidden(start) < 0.15


@pytest.mark.slow
async def test_a_link_that_falls_and_returns_is_followed(http: Client, webrtc: Any) -> None:
    """S3: to an eighth for 20 s."""
    async with watching(http, webrtc, S3) as watcher:
        began = asyncio.get_running_loop().time()
        await reaches(watcher, HEIGHT, 18)
        await asyncio.sleep(began + 19.0 - asyncio.get_running_loop().time())
        start = await count(watcher)
        await reaches(watcher, HEIGHT // 4, 30)
        low = await count(watcher)
        print("S3 until it was followed:", low.since(start))
        await reaches(watcher, HEIGHT, 40)
        back = await count(watcher)
        print("S3 low:", back.since(low))
        await asyncio.sleep(5)
        end = await count(watcher)
        print("S3 back:", end.since(back))
        assert end.frozen(back) < 0.4
        assert back.hidden(low) < 0.2
        assert end.pace(back) > FRAMES_PER_SECOND / 3


@pytest.mark.slow
async def test_a_theatre_on_a_thin_lossy_link_is_heard_and_seen(http: Client, webrtc: Any) -> None:
    """S1 on the way up: the server asks the publisher again, so that viewers see no loss."""
    async with watching(http, webrtc, S1, uplink=True) as watcher:
        await reaches(watcher, HEIGHT // 4, 20)
        await asyncio.sleep(5)
        start, end = await measured(watcher, "S1 up", 30)
        assert end.pace(start) > 1
        assert end.frozen(start) < 0.5
        assert end.hidden(start) < 0.15


@pytest.mark.slow
async def test_a_theatre_that_loses_a_tenth_is_repaired_for_its_viewers(http: Client, webrtc: Any) -> None:
    """S5 on the way up."""
    async with watching(http, webrtc, S5, uplink=True) as watcher:
        await asyncio.sleep(10)
        start, end = await measured(watcher, "S5 up", 15)
        # Where processors are scarce the encoder itself takes a smaller picture.
        assert end.height >= HEIGHT // 2
        assert end.pace(start) > FRAMES_PER_SECOND / 3
        assert end.frozen(start) < 0.5
        assert end.hidden(start) < 0.25


@pytest.mark.slow
async def test_a_theatre_whose_link_falls_and_returns_is_followed(http: Client, webrtc: Any) -> None:
    """S3 on the way up: to an eighth for 20 s."""
    began = asyncio.get_running_loop().time()
    async with watching(http, webrtc, S3_UP, uplink=True) as watcher:
        await asyncio.sleep(began + 22.0 - asyncio.get_running_loop().time())
        low, back = await measured(watcher, "S3 up, low", 15)
        await asyncio.sleep(15)
        start, end = await measured(watcher, "S3 up, back", 10)
        assert back.pace(low) > 1
        assert back.hidden(low) < 0.2
        assert end.height >= HEIGHT // 2
        assert end.pace(start) > FRAMES_PER_SECOND / 3
        assert end.frozen(start) < 0.4
