"""A participant over WebSocket whose two transports are aiortc's: not the pages, but the same protocol."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import aiohttp
from aiortc import RTCDataChannel, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack

from mediaserver.policy import Role
from signalling.messages import PROTOCOL
from tests.media import Peer, Watch, publisher
from tests.running import Client, until

Message = Mapping[str, Any]


def about(part: str, **wanted: object) -> Callable[[Message], bool]:
    """Events whose part (an object, or the event itself for an empty name) has these values."""

    def matches(event: Message) -> bool:
        found = event[part] if part else event
        return all(found[key] == value for key, value in wanted.items())

    return matches


class Member:
    """Reads its socket in a task, answers offers by itself, keeps every event. An async context."""

    def __init__(
        self, http: Client, room: str, role: Role | str = Role.SURGEON, name: str = "Dr Ánh"
    ) -> None:
        self.http = http
        self.room = room
        self.role = Role(role)
        self.name = name
        self.hello: Message = {}
        self.events: list[Message] = []
        self.publishing: Peer | None = None
        self.subscribing: Peer | None = None
        self.by_publication: dict[str, Watch] = {}
        self.channels: dict[str, RTCDataChannel] = {}
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._readers: list[asyncio.Task[None]] = []
        self._answers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await self.open()
        self.hello = await self.ask(
            "join", token=self.http.server.token(self.room, self.role), name=self.name
        )
        assert self.hello["type"] == "hello", self.hello
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._answers:
            task.cancel()
        await self.socket.close()
        await asyncio.gather(*self._readers)
        for peer in (self.publishing, self.subscribing):
            if peer is not None:
                await peer.__aexit__()

    async def open(self) -> None:
        """A new socket."""
        self.socket = await self.http.session.ws_connect(
            f"{self.http.server.url}/ws", protocols=(PROTOCOL,), max_msg_size=1 << 20
        )
        self._readers.append(asyncio.create_task(self._read(self.socket)))

    def drop(self) -> None:
        """The socket breaks without a goodbye."""
        response = self.socket._response  # aiohttp has no public way to be rude
        assert response.connection is not None
        assert response.connection.transport is not None
        response.connection.transport.abort()

    async def resume(self, seq: int | None = None) -> Message:
        """Comes back on a new socket."""
        await self.open()
        seen = self.last_seq if seq is None else seq
        resume = {"session": self.hello["session"], "token": self.hello["resume_token"], "seq": seen}
        answer = await self.ask("join", token="", resume=resume)
        if answer["type"] == "hello":
            self.hello = answer
        return answer

    @property
    def id(self) -> str:
        """The participant's id."""
        found: str = self.hello["participant"]
        return found

    @property
    def last_seq(self) -> int:
        """Of the newest event, or of the room as joined."""
        return max([int(self.hello["seq"]), *(int(event["seq"]) for event in self.events)])

    async def ask(self, kind: str, **fields: Any) -> Message:
        """A request and its answer, whatever it says."""
        number = next(self._ids)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        await self.socket.send_str(json.dumps({"type": kind, "id": number, **fields}))
        return await asyncio.wait_for(self._waiting[number], 10)

    async def do(self, kind: str, **fields: Any) -> Message:
        """A request that must be granted."""
        answer = await self.ask(kind, **fields)
        assert answer["type"] != "error", answer
        return answer

    def told(self, kind: str, matches: Callable[[Message], bool] = lambda _: True) -> list[Message]:
        """Events of a type so far."""
        return [event for event in self.events if event["type"] == kind and matches(event)]

    async def event(self, kind: str, matches: Callable[[Message], bool] = lambda _: True) -> Message:
        """The first event of a type that matches, past or to come."""
        await until(lambda: bool(self.told(kind, matches)), 10, kind)
        return self.told(kind, matches)[0]

    async def publish(
        self, tracks: Sequence[tuple[MediaStreamTrack, str, str]], *, channels: bool = False
    ) -> list[str]:
        """Sends (track, label, source type); the publications' ids in that order.

        ``channels``: opens the data channels ``room`` and ``pointer`` beside them.
        """
        self.publishing = peer = publisher(*(track for track, _, _ in tracks))
        if channels:
            connection = peer.connection
            self.channels["room"] = connection.createDataChannel("room")
            self.channels["pointer"] = connection.createDataChannel(
                "pointer", ordered=False, maxRetransmits=0
            )
        sdp = await peer.offer()
        mids = [transceiver.mid for transceiver in peer.connection.getTransceivers()]
        sources = [
            {"mid": mid, "label": label, "source_type": source_type}
            for mid, (_, label, source_type) in zip(mids, tracks, strict=True)
        ]
        answer = await self.do("publish", sdp=sdp, sources=sources)
        await peer.connection.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))
        await peer.connected()
        if channels:
            await until(
                lambda: all(one.readyState == "open" for one in self.channels.values()), 10, "channels"
            )
        became = {one["mid"]: one["publication"] for one in answer["sources"]}
        return [became[mid] for mid in mids]

    async def watch(self, publication: str) -> Watch:
        """What arrives of a publication that was subscribed to."""
        await until(lambda: publication in self.by_publication, 10, "the offer with this publication")
        return self.by_publication[publication]

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for frame in socket:
            message = json.loads(frame.data)
            waiting = self._waiting.pop(message.get("id") or 0, None)
            if waiting is not None:
                waiting.set_result(message)
                continue
            self.events.append(message)
            if message["type"] == "offer":
                self._answers.append(asyncio.create_task(self._answer(message)))

    async def _answer(self, offer: Message) -> None:
        if self.subscribing is None:
            self.subscribing = Peer()
        connection = self.subscribing.connection
        await connection.setRemoteDescription(RTCSessionDescription(offer["sdp"], "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        await self.do("answer", generation=offer["generation"], sdp=connection.localDescription.sdp)
        self.subscribing.watch_all()
        for source in offer["sources"]:
            self.by_publication[source["publication"]] = self.subscribing.watches[source["mid"]]
