"""Clients that mean ill, in a process of their own so that they slow nobody's measuring.

``python -m tests.abusers`` reads an ``Assault`` as JSON from standard input and prints one JSON object: how
each kind ended, how often, and after how many seconds the last of it. Connections come from many addresses of
the loopback network, from each fewer than the server allows one source, so that its limits stay as shipped.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import resource
import socket
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from signalling.messages import PROTOCOL

PER_SOURCE = 40
"""Below the server's 50: sources are for the many, not for the limit."""
PIECE_SECONDS = 0.2
"""Between one byte and the next of those who are slow."""
LARGE_BYTES = 1_000_000
FLOOD_MESSAGES = 10_000
FRAGMENTS = 400_000
CHAT_CHARACTERS = 1900
GIVE_UP_SECONDS = 90.0


@dataclass(frozen=True)
class Assault:
    """How many of each kind. Tokens are of the room ``room``; each opens one WebSocket."""

    port: int
    room: str
    silent: int
    slow: int
    """Of those with slow headers, and of those with slow bodies."""
    large: int
    flooders: list[str]
    fragmenters: list[str]
    deaf: list[str]
    speakers: list[str]
    """Tokens of staff who make the room talk so that the deaf have something not to hear."""
    publisher: str
    """A token that may publish."""


@dataclass
class Outcome:
    """How the clients of one kind ended."""

    ends: Counter[str] = field(default_factory=Counter)
    last_seconds: float = 0.0


Raw = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Abusers:
    """All of them at once, until each has been thrown out."""

    def __init__(self, assault: Assault) -> None:
        self._assault = assault
        self._sources = self._addresses()
        self._outcomes: dict[str, Outcome] = {}
        self._deafened = asyncio.Event()

    async def run(self) -> dict[str, Any]:
        """Outcomes by kind."""
        assault = self._assault
        kinds: list[tuple[str, Callable[..., Awaitable[str]], list[tuple[Any, ...]]]] = [
            ("silent", self._silent, [()] * assault.silent),
            ("slow_headers", self._slow_headers, [()] * assault.slow),
            ("slow_body", self._slow_body, [()] * assault.slow),
            ("large", self._large, [()] * assault.large),
            ("flood", self._flood, [(token,) for token in assault.flooders]),
            ("fragments", self._fragments, [(token,) for token in assault.fragmenters]),
            ("deaf", self._deaf, [(token,) for token in assault.deaf]),
            ("speaker", self._speak, [(token,) for token in assault.speakers]),
        ]
        await asyncio.gather(
            *(self._count(name, work(*each)) for name, work, arguments in kinds for each in arguments)
        )
        return {
            name: {"ends": outcome.ends, "last_seconds": outcome.last_seconds}
            for name, outcome in self._outcomes.items()
        }

    async def _count(self, name: str, work: Awaitable[str]) -> None:
        outcome, began = self._outcomes.setdefault(name, Outcome()), time.monotonic()
        try:
            end = await asyncio.wait_for(work, GIVE_UP_SECONDS)
        except TimeoutError:
            end = "never"
        except ConnectionError:
            end = "reset"
        outcome.ends[end] += 1
        outcome.last_seconds = max(outcome.last_seconds, round(time.monotonic() - began, 2))

    @staticmethod
    def _addresses() -> Iterator[str]:
        for host in itertools.count(2):
            for _ in range(PER_SOURCE):
                yield f"127.0.{host // 250}.{host % 250 + 1}"

    async def _connect(self) -> Raw:
        return await asyncio.open_connection(
            "127.0.0.1", self._assault.port, local_addr=(next(self._sources), 0)
        )

    # ---- HTTP ----

    async def _silent(self) -> str:
        return await _end(await self._connect())

    async def _slow_headers(self) -> str:
        raw = await self._connect()
        return await _trickle(raw, b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: " + b"a" * 4000)

    def _head(self, length: int) -> bytes:
        return (
            f"POST /whip/{self._assault.room} HTTP/1.1\r\nHost: x\r\nContent-Type: application/sdp\r\n"
            f"Authorization: Bearer {self._assault.publisher}\r\nContent-Length: {length}\r\n\r\n"
        ).encode()

    async def _slow_body(self) -> str:
        raw = await self._connect()
        raw[1].write(self._head(4000))
        return await _trickle(raw, b"v" * 4000)

    async def _large(self) -> str:
        raw = await self._connect()
        raw[1].write(self._head(LARGE_BYTES) + b"v" * LARGE_BYTES)
        return await _end(raw)

    # ---- WebSocket ----

    async def _join(self, http: aiohttp.ClientSession, token: str) -> aiohttp.ClientWebSocketResponse:
        ws = await http.ws_connect(
            f"http://127.0.0.1:{self._assault.port}/ws", protocols=(PROTOCOL,), max_msg_size=0
        )
        await ws.send_json({"type": "join", "id": 0, "token": token})
        hello = await ws.receive_json()
        assert hello["type"] == "hello", hello
        return ws

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=(next(self._sources), 0)))

    async def _flood(self, token: str) -> str:
        async with self._session() as http:
            ws = await self._join(http, token)
            reading = asyncio.create_task(_close_code(ws))
            for number in range(FLOOD_MESSAGES):
                if reading.done():
                    break
                await ws.send_json({"type": "ping", "id": number})
            return str(await reading)

    async def _fragments(self, token: str) -> str:
        """One message of very many frames of one byte."""
        async with self._session() as http:
            ws = await self._join(http, token)
            reading = asyncio.create_task(_close_code(ws))
            transport = _transport(ws)
            transport.write(b"\x01\x80aaaa")
            for _ in range(0, FRAGMENTS, 1000):
                if reading.done() or transport.is_closing():
                    break
                transport.write(b"\x00\x80aaaa" * 1000)
                await asyncio.sleep(0)
            return str(await reading)

    async def _deaf(self, token: str) -> str:
        """Joins and reads nothing more. That it was thrown out the others are told."""
        async with self._session() as http:
            ws = await self._join(http, token)
            transport = _transport(ws)
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            transport.pause_reading()
            await self._deafened.wait()
            transport.abort()
            return "told of"

    async def _speak(self, token: str) -> str:
        """Talks, within what it may, until the room was told that every deaf one left."""
        gone = 0
        async with self._session() as http:
            ws = await self._join(http, token)

            async def talk() -> None:
                for number in itertools.count(1):
                    await ws.send_json({"type": "chat", "id": number, "text": "ế" * CHAT_CHARACTERS})
                    await asyncio.sleep(0.03)

            talking = asyncio.create_task(talk())
            async for message in ws:
                gone += json.loads(message.data)["type"] == "participant_left"
                # Flooders and fragmenters leave the same room, but only after their time to resume.
                if gone >= len(self._assault.deaf):
                    break
            talking.cancel()
            self._deafened.set()
        return "heard out"


async def _end(raw: Raw) -> str:
    """Reads until the server closes; the status it gave, if any."""
    try:
        answer = await raw[0].read()
    except ConnectionError:
        return "reset"
    finally:
        raw[1].close()
    return answer.split(b" ", 2)[1].decode() if answer.startswith(b"HTTP/1.") else "closed"


async def _trickle(raw: Raw, pieces: bytes) -> str:
    reading = asyncio.create_task(_end(raw))
    for piece in pieces:
        if reading.done():
            break
        raw[1].write(bytes([piece]))
        await asyncio.wait({reading}, timeout=PIECE_SECONDS)
    return await reading


async def _close_code(ws: aiohttp.ClientWebSocketResponse) -> int | None:
    async for _ in ws:
        pass
    return ws.close_code


def _transport(ws: aiohttp.ClientWebSocketResponse) -> asyncio.Transport:
    connection = ws._response.connection  # aiohttp has no public way to be rude
    assert connection is not None
    assert isinstance(connection.transport, asyncio.Transport)
    return connection.transport


def main() -> None:
    """The process."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(json.dumps(asyncio.run(Abusers(Assault(**json.load(sys.stdin))).run())))


if __name__ == "__main__":
    main()
