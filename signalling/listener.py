"""The listening sockets: aiohttp's application behind guarded connections, opened and closed in order."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

from mediaserver.errors import LoupeError
from signalling.context import SERVICES
from signalling.limits import GuardedHandler

BACKLOG = 1024
MAX_LINE_BYTES = 8190
MAX_HEADER_BYTES = 8190
LINGER_SECONDS = 2.0
"""How long an unread body is read and thrown away so that the client sees the refusal."""
SHUTDOWN_SECONDS = 2.0
"""What a busy connection gets at the end; the drain before it had its own, longer time."""


class CannotListen(LoupeError):
    """The address cannot be opened; the text says what to do."""

    code = "cannot_listen"


@dataclass
class Listener:
    """What ``open_listener`` made."""

    runner: web.AppRunner
    server: asyncio.Server
    host: str
    port: int
    tls: bool
    connection: Callable[[], asyncio.Protocol]
    others: list[asyncio.Server] = field(default_factory=list)

    @property
    def url(self) -> str:
        """``http://HOST:PORT`` or ``https://HOST:PORT``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"

    async def also(self, host: str, port: int) -> str:
        """Serves the same over plain HTTP at another address too; gives its URL. Raises ``CannotListen``."""
        server = await _listen(self.connection, host, port, None, None)
        self.others.append(server)
        return f"http://{host}:{server.sockets[0].getsockname()[1]}"

    async def stop_accepting(self) -> None:
        """No new connections; those that stand go on."""
        for server in (self.server, *self.others):
            server.close()

    async def close(self) -> None:
        """Ends every connection, the busy ones after two seconds."""
        await self.stop_accepting()
        await self.runner.cleanup()


async def open_listener(
    application: web.Application, host: str, port: int, tls: ssl.SSLContext | None = None
) -> Listener:
    """Starts to serve. Port 0 takes a free one. Raises ``CannotListen``."""
    loop = asyncio.get_running_loop()
    parts = application[SERVICES]
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    manager = runner.server
    assert manager is not None, "setup makes it"

    def connection() -> GuardedHandler:
        return GuardedHandler(
            manager,
            parts.limits,
            parts.connections,
            loop=loop,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=parts.limits.idle_seconds,
            lingering_time=LINGER_SECONDS,
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_HEADER_BYTES,
        )

    try:
        server = await _listen(connection, host, port, tls, parts.limits.tls_hello_seconds)
    except CannotListen:
        await runner.cleanup()
        raise
    opened: socket.socket = server.sockets[0]
    return Listener(runner, server, host, opened.getsockname()[1], tls is not None, connection)


async def _listen(
    connection: Callable[[], asyncio.Protocol],
    host: str,
    port: int,
    tls: ssl.SSLContext | None,
    hello_seconds: float | None,
) -> asyncio.Server:
    try:
        return await asyncio.get_running_loop().create_server(
            connection,
            host,
            port,
            ssl=tls,
            backlog=BACKLOG,
            ssl_handshake_timeout=hello_seconds if tls is not None else None,
        )
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CannotListen(
            f"cannot listen on {host} port {port}: {reason}; choose another with --listen HOST:PORT"
        ) from None
