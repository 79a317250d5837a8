"""A picture sent to the server in one session and watched in another, through the real path.

Each picture carries a mark (``signalling/demo/marks.py``) that tells its number and when it was drawn:
delay and loss are read off the picture itself, whatever lies between. For canary and preflight.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp
import numpy as np
from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.sdp import SessionDescription
from av import VideoFrame

from mediaserver.tasks import end_tasks
from signalling.client import Client, Message
from signalling.demo import marks
from signalling.demo.marks import Mark, Picture
from signalling.demo.tracks import DrawnTrack
from signalling.messages import PROTOCOL

BLOCK = 16
"""A codec's block: one that is half of this cell and half of the next is sometimes left as it was."""
WIDTH, HEIGHT = marks.CELLS * BLOCK, 9 * BLOCK
"""Each cell is one block, which no encoder smears; flat to cost little."""
OLDEST_MS = 60_000
"""One smeared mark in 256 passes its checksum; its clock, being any of 49 days, gives it away."""


@dataclass(frozen=True, kw_only=True)
class Ends:
    """Where, and by which rights. ``tls`` as aiohttp takes it: a context, or True for the system's trust."""

    url: str
    send_token: str
    receive_token: str
    tls: ssl.SSLContext | bool = True
    ice_servers: tuple[RTCIceServer, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """One picture that came back. ``delay_seconds`` from drawing to reading: one clock, this machine's."""

    frame: int
    delay_seconds: float


def ground() -> Picture:
    """What lies behind the mark."""
    slope = np.linspace(60, 180, WIDTH, dtype=np.uint8)
    return np.repeat(np.tile(slope, (HEIGHT, 1))[:, :, np.newaxis], 3, axis=2)


@dataclass(eq=False)
class Loopback:
    """Both ends. ``run`` lasts until a socket closes or it is cancelled."""

    ends: Ends
    frames_per_second: int
    seen: Callable[[Seen], None]
    joined: asyncio.Event = field(default_factory=asyncio.Event)
    """Both sessions stand."""
    media_addresses: tuple[tuple[str, int], ...] = ()
    """Where the server takes media: (address, UDP port), as it says itself."""
    told_servers: tuple[RTCIceServer, ...] = ()
    """STUN and TURN servers that the server names; ``ends`` says which are used."""
    sending: RTCPeerConnection = field(init=False)
    receiving: RTCPeerConnection = field(init=False)
    drawn: int = 0
    """Pictures given to the encoder; the next has this number."""

    def __post_init__(self) -> None:
        servers = list(self.ends.ice_servers)
        self.sending = RTCPeerConnection(RTCConfiguration(iceServers=servers))
        self.receiving = RTCPeerConnection(RTCConfiguration(iceServers=servers))

    @property
    def connected(self) -> bool:
        """Both associations stand."""
        states = {self.sending.connectionState, self.receiving.connectionState}
        return states == {"connected"}

    async def run(self) -> None:
        """Raises ``aiohttp.ClientError``, ``client.Refused``; ``ConnectionError`` when a socket closed."""
        try:
            async with aiohttp.ClientSession() as http:
                sender = await self._socket(http)
                receiver = await self._socket(http)
                await self._converse(sender, receiver)
        finally:
            await self.sending.close()
            await self.receiving.close()

    async def _socket(self, http: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse:
        return await http.ws_connect(
            f"{self.ends.url}/ws", protocols=(PROTOCOL,), ssl=self.ends.tls, max_msg_size=1 << 20
        )

    async def _converse(
        self, send: aiohttp.ClientWebSocketResponse, receive: aiohttp.ClientWebSocketResponse
    ) -> None:
        offers: asyncio.Queue[Message] = asyncio.Queue()

        def take(event: Message) -> None:
            if event["type"] == "offer":
                offers.put_nowait(event)

        sender, receiver = Client(send), Client(receive, take)
        loop = asyncio.get_running_loop()
        readers = [loop.create_task(sender.read()), loop.create_task(receiver.read())]
        work = loop.create_task(self._work(sender, receiver, offers))
        tasks = [*readers, work]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                await work
            raise ConnectionError("the server ended a session")
        finally:
            await end_tasks(tasks)
            await send.close()
            await receive.close()

    async def _work(self, sender: Client, receiver: Client, offers: asyncio.Queue[Message]) -> None:
        async with asyncio.TaskGroup() as tasks:
            hello = await receiver.request("join", token=self.ends.receive_token, name="")
            self.told_servers = tuple(
                RTCIceServer(one["urls"], one.get("username"), one.get("credential"))
                for one in hello["ice_servers"]
            )
            await receiver.request("subscribe", publications=[], automatic=True)
            await sender.request("join", token=self.ends.send_token, name="")
            self.joined.set()
            tasks.create_task(sender.heartbeat())
            tasks.create_task(receiver.heartbeat())
            await self._publish(sender)
            watching: set[str] = set()
            while True:
                offer = await offers.get()
                await self._answer(receiver, offer)
                for transceiver in self.receiving.getTransceivers():
                    track = transceiver.receiver.track
                    if transceiver.mid is not None and transceiver.mid not in watching:
                        watching.add(transceiver.mid)
                        tasks.create_task(self._read(track))

    async def _publish(self, sender: Client) -> None:
        behind = ground()

        def draw(_: float, mark: Mark) -> Picture:
            picture = behind.copy()
            marks.draw(picture, Mark(self.drawn, mark.clock_ms))
            self.drawn += 1
            return picture

        connection = self.sending
        connection.addTransceiver(DrawnTrack(draw, self.frames_per_second), direction="sendonly")
        await connection.setLocalDescription(await connection.createOffer())
        source = {"mid": connection.getTransceivers()[0].mid, "label": "loopback", "source_type": "other"}
        answer = await sender.request("publish", sdp=connection.localDescription.sdp, sources=[source])
        self.media_addresses = tuple(
            (candidate.ip, candidate.port)
            for media in SessionDescription.parse(answer["sdp"]).media[:1]
            for candidate in media.ice_candidates
        )
        await connection.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))

    async def _answer(self, receiver: Client, offer: Message) -> None:
        connection = self.receiving
        await connection.setRemoteDescription(RTCSessionDescription(offer["sdp"], "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        await receiver.request("answer", generation=offer["generation"], sdp=connection.localDescription.sdp)

    async def _read(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                frame = await track.recv()
                if isinstance(frame, VideoFrame):
                    self._picture(frame)
        except MediaStreamError:
            return

    def _picture(self, frame: VideoFrame) -> None:
        now_ms = int(time.time() * 1000)
        mark = marks.read(np.asarray(frame.to_ndarray(format="gray"), np.uint8))
        if mark is not None and mark.age_ms(now_ms) <= OLDEST_MS:
            self.seen(Seen(mark.frame, mark.age_ms(now_ms) / 1000))
