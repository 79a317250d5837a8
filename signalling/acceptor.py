"""Listening sockets. Each connection is counted for its source as it is accepted, before a TLS handshake is
spent on it: asyncio's own server tells a protocol who it is only when the handshake is done."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable

from signalling.limits import Connections, GuardedHandler, source_of

BACKLOG = 1024
ACCEPTED_AT_ONCE = 64
"""Connections taken in one turn of the loop: a flood of them leaves room for what else is due."""
PAUSE_SECONDS = 1.0
"""When the system is out of descriptors or memory: others must give some back first."""
BUSY_RESPONSE = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)

log = logging.getLogger("loupe.signalling")

NewHandler = Callable[[str], GuardedHandler]
"""The protocol of a connection from this source, which it counts out when it is lost."""


class Acceptor:
    """Accepts on every address of one host name. ``tls`` None: plain HTTP."""

    def __init__(
        self,
        sockets: list[socket.socket],
        new_handler: NewHandler,
        connections: Connections,
        tls: ssl.SSLContext | None,
        *,
        hello_seconds: float,
        close_seconds: float,
    ) -> None:
        self.port = int(sockets[0].getsockname()[1])
        """Of the first address."""
        self._sockets = sockets
        self._new_handler = new_handler
        self._connections = connections
        self._tls = tls
        self._hello_seconds = hello_seconds
        self._close_seconds = close_seconds
        self._loop = asyncio.get_running_loop()
        self._beginning: set[asyncio.Task[None]] = set()
        self._paused: dict[socket.socket, asyncio.TimerHandle] = {}
        for listening in sockets:
            self._loop.add_reader(listening, self._accept, listening)

    def close(self) -> None:
        """Accepts no more, and lets go of connections whose handshake is under way. Idempotent."""
        for listening in self._sockets:
            if listening in self._paused:
                self._paused.pop(listening).cancel()
            elif listening.fileno() >= 0:
                self._loop.remove_reader(listening)
            listening.close()
        for task in self._beginning:
            task.cancel()

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                connection, address = listening.accept()
            except BlockingIOError:
                return
            except ConnectionError:
                continue  # it went away while it waited
            except OSError as error:
                log.error("cannot accept connections for a moment", extra={"reason": error.strerror})
                self._loop.remove_reader(listening)
                self._paused[listening] = self._loop.call_later(PAUSE_SECONDS, self._resume, listening)
                return
            self._begin(connection, source_of(address[0]))

    def _resume(self, listening: socket.socket) -> None:
        del self._paused[listening]
        self._loop.add_reader(listening, self._accept, listening)

    def _begin(self, connection: socket.socket, source: str) -> None:
        connection.setblocking(False)
        if not self._connections.enter(source):
            if self._tls is None:
                with contextlib.suppress(OSError):
                    connection.send(BUSY_RESPONSE)
            connection.close()
            return
        task = self._loop.create_task(self._serve(connection, self._new_handler(source)))
        self._beginning.add(task)
        task.add_done_callback(self._beginning.discard)

    async def _serve(self, connection: socket.socket, handler: GuardedHandler) -> None:
        secure = self._tls is not None
        try:
            await self._loop.connect_accepted_socket(
                lambda: handler,
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=self._hello_seconds if secure else None,
                ssl_shutdown_timeout=self._close_seconds if secure else None,
            )
        except OSError:  # of the handshake: ssl.SSLError, and ConnectionError when it took too long
            self._connections.count("tls_handshake")
            handler.release()
        except BaseException:
            handler.release()
            connection.close()
            raise


def bind(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen on every address of ``host``. Port 0 takes free ones. Raises ``OSError``."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    bound: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            listening = socket.socket(family, kind, protocol)
            bound.append(listening)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                # The same port on the IPv4 address is a socket of its own.
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listening.bind(address)
            listening.listen(BACKLOG)
            listening.setblocking(False)
    except OSError:
        for listening in bound:
            listening.close()
        raise
    return bound
