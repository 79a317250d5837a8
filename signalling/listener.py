"""The listening sockets: aiohttp's application behind guarded connections, opened and closed in order."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

from aiohttp import web

from mediaserver.errors import LoupeError
from signalling.acceptor import Acceptor, NewHandler, bind
from signalling.context import SERVICES, Services
from signalling.limits import GuardedHandler

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
    parts: Services
    new_handler: NewHandler
    host: str
    tls: bool
    acceptors: list[Acceptor]

    @property
    def port(self) -> int:
        """The port of the first address."""
        return self.acceptors[0].port

    @property
    def url(self) -> str:
        """``http://HOST:PORT`` or ``https://HOST:PORT``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"

    def also(self, host: str, port: int) -> str:
        """Serves the same over plain HTTP at another address too; gives its URL. Raises ``CannotListen``."""
        acceptor = _listen(self.parts, self.new_handler, host, port, None)
        self.acceptors.append(acceptor)
        return f"http://{host}:{acceptor.port}"

    def stop_accepting(self) -> None:
        """No new connections; those that stand go on."""
        for acceptor in self.acceptors:
            acceptor.close()

    async def close(self) -> None:
        """Ends every connection, the busy ones after two seconds."""
        self.stop_accepting()
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

    def new_handler(source: str) -> GuardedHandler:
        return GuardedHandler(
            manager,
            parts.limits,
            parts.connections,
            source,
            loop=loop,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=parts.limits.idle_seconds,
            lingering_time=LINGER_SECONDS,
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_HEADER_BYTES,
        )

    try:
        acceptor = _listen(parts, new_handler, host, port, tls)
    except CannotListen:
        await runner.cleanup()
        raise
    return Listener(runner, parts, new_handler, host, tls is not None, [acceptor])


def _listen(
    parts: Services, new_handler: NewHandler, host: str, port: int, tls: ssl.SSLContext | None
) -> Acceptor:
    try:
        sockets = bind(host, port)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CannotListen(
            f"cannot listen on {host} port {port}: {reason}; choose another with --listen HOST:PORT "
            "(of the demo: --port PORT)"
        ) from None
    return Acceptor(
        sockets,
        new_handler,
        parts.connections,
        tls,
        hello_seconds=parts.limits.tls_hello_seconds,
        close_seconds=parts.limits.close_seconds,
    )
