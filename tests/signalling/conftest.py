"""A whole server on loopback: the real media server, the real listener, real clients."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from mediaserver import config
from mediaserver.plane import open_plane
from mediaserver.policy import Right, Role
from mediaserver.server import Server
from mediaserver.store.audit import Record, find
from mediaserver.store.store import Store
from mediaserver.vault import make_master_key
from signalling import app, keys, listener, messages, tokens
from signalling.context import Services
from signalling.limits import HttpLimits, from_settings
from signalling.tokens import Audience

SHARED = Path(os.environ.get("LOUPE_SHARED", Path(__file__).parents[3] / "shared"))


class Clock:
    """Unix time that a test moves."""

    def __init__(self) -> None:
        self.ahead_seconds = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_seconds


class Socket:
    """A WebSocket client that speaks the protocol."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.events: list[dict[str, Any]] = []
        self._next_id = 0

    async def receive(self) -> dict[str, Any]:
        message = await self.ws.receive(timeout=5)
        assert message.type is aiohttp.WSMsgType.TEXT, f"{message.type} {self.ws.close_code}"
        decoded: dict[str, Any] = msgspec.json.decode(message.data)
        return decoded

    async def ask(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Sends a request and gives its answer; events that come before it are kept."""
        self._next_id += 1
        await self.ws.send_json({"type": kind, "id": self._next_id, **fields})
        while True:
            message = await self.receive()
            if message.get("id") == self._next_id:
                return message
            self.events.append(message)

    async def event(self, kind: str) -> dict[str, Any]:
        """The next event of this type."""
        while True:
            for index, message in enumerate(self.events):
                if message["type"] == kind:
                    return self.events.pop(index)
            self.events.append(await self.receive())

    async def closed(self) -> int | None:
        """Reads on until the server closes; its code."""
        while not self.ws.closed:
            message = await self.ws.receive(timeout=5)
            if message.type is aiohttp.WSMsgType.TEXT:
                self.events.append(msgspec.json.decode(message.data))
        return self.ws.close_code


@dataclass
class House:
    """A running server and what a test needs to talk to it."""

    parts: Services
    keys: keys.TokenKeys
    listener: listener.Listener
    http: aiohttp.ClientSession
    clock: Clock
    sockets: list[Socket] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.listener.url

    @property
    def server(self) -> Server:
        return self.parts.server

    @property
    def store(self) -> Store:
        return self.parts.kept

    async def audited(self) -> list[Record]:
        """The audit up to now."""
        await self.store.audit.flush()
        return await self.store.database.read(find)

    def token(
        self,
        role: Role | str = Role.SURGEON,
        room: str = "7QK2",
        *,
        audience: Audience = Audience.JOIN,
        lifetime_seconds: int = 600,
        rights: frozenset[Right] | None = None,
        **more: Any,
    ) -> str:
        claims = tokens.new_claims(
            audience=audience,
            room=room,
            role=Role(role),
            now_seconds=self.clock(),
            lifetime_seconds=lifetime_seconds,
            rights=rights,
            **more,
        )
        return tokens.sign(self.keys, claims)

    def bearer(self, *args: Any, **more: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(*args, **more)}"}

    async def socket(self) -> Socket:
        ws = await self.http.ws_connect(
            f"{self.url}/ws", protocols=(messages.PROTOCOL,), autoclose=True, max_msg_size=0
        )
        socket = Socket(ws)
        self.sockets.append(socket)
        return socket

    async def join(
        self, role: Role | str = Role.SURGEON, room: str = "7QK2", **more: Any
    ) -> tuple[Socket, dict[str, Any]]:
        socket = await self.socket()
        hello = await socket.ask("join", token=self.token(role, room), name="Dr Ánh", **more)
        assert hello["type"] == "hello", hello
        return socket, hello


OpenHouse = Callable[..., Awaitable[House]]


@pytest.fixture
async def open_house(tmp_path: Path) -> AsyncIterator[OpenHouse]:
    """Starts servers; ``limits`` takes the place of the configured ones."""
    opened: list[House] = []

    async def start(
        settings: dict[str, Any] | None = None,
        static: Path | None = None,
        **limits: Any,
    ) -> House:
        given = {
            "data": {"folder": tmp_path / "data"},
            "media": {"addresses": ["127.0.0.1"], "port": 0, "workers": 1},
            "recording": {"master_key_file": tmp_path / "master.key"},
            **(settings or {}),
        }
        if not (tmp_path / "master.key").exists():
            make_master_key(tmp_path / "master.key")
        configured = config.load(given)
        token_keys = keys.load_or_create(configured)
        store = Store.open(configured)
        server = Server(configured, open_plane(configured.media), store.audit)
        await server.start()
        await store.start()
        clock = Clock()
        bounds: HttpLimits = replace(from_settings(configured), **{"connections_per_source": 1000, **limits})
        parts = app.services(server, configured, token_keys, limits=bounds, now=clock, store=store)
        application = app.build(parts) if static is None else app.build(parts, static=static)
        listening = await listener.open_listener(application, "127.0.0.1", 0)
        house = House(parts, token_keys, listening, aiohttp.ClientSession(), clock)
        opened.append(house)
        return house

    yield start
    for house in opened:
        for socket in house.sockets:
            await socket.ws.close()
        await house.http.close()
        await house.listener.close()
        await house.server.stop()
        await house.store.close()
    await asyncio.sleep(0)


@pytest.fixture
async def house(open_house: OpenHouse) -> House:
    """A server with the configuration's limits (connections per source lifted)."""
    return await open_house()
