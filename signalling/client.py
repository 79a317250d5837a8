"""The client's side of the WebSocket protocol for programs of ours."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import aiohttp

HEARTBEAT_SECONDS = 10.0

Message: TypeAlias = Mapping[str, Any]


class Refused(Exception):
    """The server answered a request with an error; the text is its code."""


def _pass_over(_: Message) -> None:
    """For clients that no event concerns."""


class Client:
    """One WebSocket session. ``take`` gets each event, in order, and must not wait."""

    def __init__(
        self, socket: aiohttp.ClientWebSocketResponse, take: Callable[[Message], None] = _pass_over
    ) -> None:
        self._socket = socket
        self._take = take
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Message]] = {}

    async def request(self, kind: str, **fields: object) -> Message:
        """Sends a request and gives its answer. Raises ``Refused``."""
        number = next(self._ids)
        answer = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        await self._socket.send_str(json.dumps({"type": kind, "id": number, **fields}))
        message: Message = await answer
        if message["type"] == "error":
            raise Refused(message["code"])
        return message

    async def read(self) -> None:
        """Reads until the socket closes."""
        async for frame in self._socket:
            message = json.loads(frame.data)
            if "seq" in message and message["type"] != "hello":
                self._take(message)
                continue
            waiting = self._waiting.pop(message.get("id") or 0, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(message)
        for waiting in self._waiting.values():
            waiting.cancel()

    async def heartbeat(self) -> None:
        """Keeps the session alive."""
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            await self.request("ping")
