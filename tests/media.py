"""Pictures with machine-readable marks as aiortc sends and receives them, and what a row of marks proves."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from aiortc import RTCConfiguration, RTCDtlsTransport, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame, VideoFrame

from signalling.demo import marks
from signalling.demo.marks import Mark, Picture
from signalling.demo.tracks import DrawnTrack
from tests.running import HttpSession, until

WIDTH, HEIGHT, FRAMES_PER_SECOND = marks.CELLS * 16, 144, 15
"""Each cell of a mark is one macroblock: of parts of one aiortc's VP8 encoder leaves some as they were."""


def now_ms() -> int:
    """Milliseconds since 1970, as the marks say it."""
    return int(time.time() * 1000)


class MarkedTrack(DrawnTrack):
    """A grey slope with a mark. Frames are counted as they are handed over, so a gap was lost on the way."""

    def __init__(self, frames_per_second: int = FRAMES_PER_SECOND, first: int = 0) -> None:
        self.sent = first
        slope = np.linspace(60, 180, WIDTH, dtype=np.uint8)
        self._ground = np.repeat(np.tile(slope, (HEIGHT, 1))[:, :, np.newaxis], 3, axis=2)
        super().__init__(self._marked, frames_per_second)

    def _marked(self, _: float, mark: Mark) -> Picture:
        picture: Picture = self._ground.copy()
        marks.draw(picture, Mark(self.sent, mark.clock_ms))
        self.sent += 1
        return picture


@dataclass(frozen=True)
class Seen:
    """One mark as a viewer read it."""

    mark: Mark
    at_ms: int
    smeared: int = 0
    """Pictures between the one before and this one that came but could not be read."""

    @property
    def age_ms(self) -> int:
        """From drawing to reading, both clocks being this machine's."""
        return self.mark.age_ms(self.at_ms)


def assert_in_order(seen: Sequence[Seen], *, loss: float = 0.0) -> None:
    """Every frame number is greater than the one before; of those between at most ``loss`` are missing."""
    frames = [one.mark.frame for one in seen]
    assert frames == sorted(set(frames)), f"out of order or twice: {frames}"
    missing = frames[-1] - frames[0] + 1 - len(frames) - sum(one.smeared for one in seen[1:])
    assert missing <= loss * len(frames), f"{missing} of {frames[-1] - frames[0] + 1} are missing: {frames}"


@dataclass
class Watch:
    """Reads one received track until it ends."""

    track: MediaStreamTrack
    seen: list[Seen] = field(default_factory=list)
    unread: int = 0
    """Pictures without a readable mark since the last one with."""
    sounds: int = 0
    """Frames of sound."""
    loudest: int = 0
    size: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        self.task = asyncio.get_running_loop().create_task(self._read())

    async def _read(self) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await self.track.recv()
                if isinstance(frame, VideoFrame):
                    self._picture(frame)
                elif isinstance(frame, AudioFrame):
                    self.sounds += 1
                    self.loudest = max(self.loudest, int(np.abs(frame.to_ndarray().astype(np.int32)).max()))

    def _picture(self, frame: VideoFrame) -> None:
        self.size = (frame.width, frame.height)
        mark = marks.read(np.asarray(frame.to_ndarray(format="gray"), np.uint8))
        # One smeared cell in 4,096 passes for a mark; its clock, being any of 49 days, gives it away.
        if mark is None or mark.age_ms(now_ms()) > 60_000:
            self.unread += 1
        else:
            self.seen.append(Seen(mark, now_ms(), self.unread))
            self.unread = 0

    async def frames(self, count: int, seconds: float = 20.0) -> list[Seen]:
        """The next ``count`` marks."""
        start = len(self.seen)
        await until(
            lambda: len(self.seen) >= start + count, seconds, f"{count} frames, {len(self.seen) - start} came"
        )
        return self.seen[start:]


class Peer:
    """An aiortc connection and what it receives; an async context."""

    def __init__(self) -> None:
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.watches: dict[str, Watch] = {}
        """By mid."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.connection.close()
        for watch in self.watches.values():
            await watch.task

    async def offer(self) -> str:
        """Applies an offer of its own and gives its text."""
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.connection.localDescription.sdp

    async def accept(self, session: HttpSession) -> HttpSession:
        """Applies the server's answer; watches what it brings."""
        await self.connection.setRemoteDescription(RTCSessionDescription(session.answer, "answer"))
        self.watch_all()
        return session

    def watch_all(self) -> None:
        """Starts to read tracks that were not read yet."""
        for transceiver in self.connection.getTransceivers():
            track = transceiver.receiver.track  # absent where only sending was agreed
            if transceiver.mid is not None and transceiver.mid not in self.watches and track is not None:
                self.watches[transceiver.mid] = Watch(track)

    @property
    def dtls(self) -> RTCDtlsTransport:
        """The one association; its ``transport`` is ICE."""
        return self.connection.getTransceivers()[0].receiver.transport

    def of(self, kind: str) -> Watch:
        """The watch of the first track of a kind."""
        return next(watch for watch in self.watches.values() if watch.track.kind == kind)

    async def connected(self, seconds: float = 15.0) -> None:
        """Until ICE and DTLS are done."""
        await until(
            lambda: self.connection.connectionState == "connected", seconds, self.connection.connectionState
        )

    async def received(self, kind: str) -> tuple[int, int]:
        """Packets received and lost of a kind, as RTCP counts them."""
        counted = [0, 0]
        for receiver in self.connection.getReceivers():
            if getattr(receiver.track, "kind", None) != kind:  # no track where only sending was agreed
                continue
            for entry in (await receiver.getStats()).values():
                if entry.type == "inbound-rtp":
                    counted[0] += entry.packetsReceived
                    counted[1] += entry.packetsLost
        return counted[0], counted[1]


def publisher(*tracks: MediaStreamTrack) -> Peer:
    """A peer that sends these."""
    peer = Peer()
    for track in tracks:
        peer.connection.addTransceiver(track, direction="sendonly")
    return peer


def viewer() -> Peer:
    """A peer that receives a picture and a sound."""
    peer = Peer()
    for kind in ("audio", "video"):
        peer.connection.addTransceiver(kind, direction="recvonly")
    return peer
