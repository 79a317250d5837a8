"""Limits of HTTP connections that aiohttp lacks: slow headers,
idle sockets, endless exchanges, connections per source; and its refusals in our words.

``GuardedHandler`` is aiohttp's connection with one timer that always runs;
every phase of a connection has its bound (06-reliability W14, W15, 4.2).
Bodies are bounded in ``body.py``, WebSocket messages in ``websocket.py``.
"""

from __future__ import annotations

import asyncio
import ipaddress
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from mediaserver.bucket import TokenBucket
from signalling import problem

if TYPE_CHECKING:
    from mediaserver.config import Settings

POLICY_CLOSE_FRAME = b"\x88\x02\x03\xf0"
"""A WebSocket close frame with code 1008 (RFC 6455 section 5.5.1), for a peer whose messages never end."""
IPV6_SOURCE_PREFIX = 64
"""One household or host has a whole /64; counting single addresses would count nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """All in seconds, bytes, or numbers of connections."""

    header_seconds: float = 10.0
    body_seconds: float = 30.0
    body_bytes_per_second: float = 1000.0
    body_grace_seconds: float = 5.0
    """A body may start this slowly before its rate counts: one lost packet is no attack."""
    idle_seconds: float = 30.0
    exchange_seconds: float = 60.0
    """From the last header byte to the last byte of the response taken by the client."""
    tls_hello_seconds: float = 5.0
    connections_per_source: int = 50
    sdp_bytes: int = 65_536
    api_body_bytes: int = 65_536
    message_bytes: int = 65_536
    messages_per_second: int = 50
    message_burst: int = 100
    upgraded_bytes_per_second: float = 256 * 1024
    upgraded_burst_bytes: float = 1024 * 1024
    """Bytes of a WebSocket, fragments and control frames
    included: a message of endless empty fragments ends here."""
    join_seconds: float = 5.0
    heartbeat_seconds: float = 10.0
    silence_seconds: float = 20.0
    close_seconds: float = 2.0
    """How long a closing WebSocket or connection waits for the other side before it is cut."""
    resume_seconds: float = 30.0
    connections_per_identity: int = 3
    """Sessions of one subject that stand at once, by WebSocket, WHIP and WHEP together."""
    sessions_per_invitation: int = 24
    """Sessions that stand at once by one invitation, whoever holds it: a link that got about leaves a quarter
    of a room's 32 places to the others."""


def from_settings(settings: Settings) -> HttpLimits:
    """What the configuration says; what it does not name keeps its default."""
    limits = settings.limits
    return HttpLimits(
        header_seconds=limits.header_seconds,
        body_seconds=limits.body_seconds,
        idle_seconds=limits.idle_seconds,
        tls_hello_seconds=limits.tls_hello_seconds,
        connections_per_source=limits.connections_per_source,
        connections_per_identity=limits.connections_per_identity,
        sessions_per_invitation=limits.sessions_per_invitation,
        sdp_bytes=limits.sdp_bytes,
        api_body_bytes=limits.api_body_bytes,
        message_bytes=limits.message_bytes,
        messages_per_second=limits.messages_per_second,
        message_burst=2 * limits.messages_per_second,
        resume_seconds=limits.resume_seconds,
    )


def source_of(address: str) -> str:
    """What counts as one source: an IPv4 address, or an IPv6 /64."""
    try:
        parsed = ipaddress.ip_address(address.split("%", 1)[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, IPV6_SOURCE_PREFIX), strict=False))


class Connections:
    """How many connections each source holds, and why connections were ended."""

    def __init__(self, per_source: int, exempt: tuple[str, ...] = ()) -> None:
        self._per_source = per_source
        self._exempt = tuple(ipaddress.ip_network(network) for network in exempt)
        self._open: dict[str, int] = {}
        self.ended: dict[str, int] = {}

    def __len__(self) -> int:
        return sum(self._open.values())

    def enter(self, source: str) -> bool:
        """Counts one more; False when the source holds its share already."""
        held = self._open.get(source, 0)
        if held >= self._per_source and not self._is_exempt(source):
            self.count("too_many_connections")
            return False
        self._open[source] = held + 1
        return True

    def leave(self, source: str) -> None:
        """One less."""
        held = self._open.get(source, 0)
        if held > 1:
            self._open[source] = held - 1
        else:
            self._open.pop(source, None)

    def count(self, reason: str) -> None:
        """A connection was ended by this limit."""
        self.ended[reason] = self.ended.get(reason, 0) + 1

    def _is_exempt(self, source: str) -> bool:
        # A trusted proxy carries everybody's connections; it has its own limits.
        try:
            address = ipaddress.ip_address(source.split("/", 1)[0])
        except ValueError:
            return False
        return any(address in network for network in self._exempt if network.version == address.version)


class _Phase(Enum):
    HEADERS = "slow_headers"
    EXCHANGE = "slow_exchange"
    IDLE = "idle"
    UPGRADED = "flooded"


class GuardedHandler(RequestHandler):
    """One HTTP connection under a timer. ``source`` is counted already, and counted out when it is lost."""

    def __init__(
        self,
        manager: web.Server,
        limits: HttpLimits,
        connections: Connections,
        source: str,
        *,
        loop: asyncio.AbstractEventLoop,
        **options: Any,
    ) -> None:
        super().__init__(manager, loop=loop, **options)
        self._guard_loop = loop
        self._limits = limits
        self._connections = connections
        self._source: str | None = source
        self._phase = _Phase.HEADERS
        self._timer: asyncio.TimerHandle | None = None
        self._bytes = TokenBucket(limits.upgraded_bytes_per_second, limits.upgraded_burst_bytes)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._enter(_Phase.HEADERS, self._limits.header_seconds)

    def data_received(self, data: bytes) -> None:
        match self._phase:
            case _Phase.IDLE:
                self._enter(_Phase.HEADERS, self._limits.header_seconds)
            case _Phase.UPGRADED if not self._bytes.take(self._guard_loop.time(), len(data)):
                if self.transport is not None:
                    self.transport.write(POLICY_CLOSE_FRAME)
                self._end()
                return
            case _:
                pass
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.release()
        super().connection_lost(exc)

    def release(self) -> None:
        """The source holds one connection less. Idempotent."""
        if self._source is not None:
            self._connections.leave(self._source)
            self._source = None

    def request_began(self) -> None:
        """All headers of a request are here (told by the outermost middleware)."""
        self._enter(_Phase.EXCHANGE, self._limits.exchange_seconds)

    def upgraded(self) -> None:
        """The connection is a WebSocket from now on and keeps its own time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._phase = _Phase.UPGRADED

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What is no HTTP is the client's fault: counted and answered, neither logged nor repeated, as it may
        hold a token."""
        if isinstance(exc, ConnectionError):
            raise exc  # the client is gone: nobody reads an answer, and that is no fault to be logged
        if status != HTTPStatus.BAD_REQUEST or request.writer.output_size > 0:
            return super().handle_error(request, status, exc, message)
        self._connections.count("malformed_request")
        response = problem.from_status(status, detail="this is no well-formed HTTP request")
        response.headers["Server"] = problem.SERVER_NAME
        response.force_close()
        return response

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            if self._phase is _Phase.EXCHANGE:
                self._enter(_Phase.IDLE, self._limits.idle_seconds)

    def _enter(self, phase: _Phase, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._phase = phase
        self._timer = self._guard_loop.call_later(seconds, self._end)

    def _end(self) -> None:
        self._timer = None
        self._connections.count(self._phase.value)
        transport = self.transport
        self.force_close()
        if transport is not None:
            # To close waits until what is buffered was taken: for ever, for a client that does not read.
            grace = 0.0 if self._phase is _Phase.EXCHANGE else self._limits.close_seconds
            self._guard_loop.call_later(grace, transport.abort)


def exchange_began(request: web.BaseRequest) -> None:
    """From now on a request has the time of a whole exchange: its headers are here, or a piece of a long
    answer was taken."""
    if isinstance(request.protocol, GuardedHandler):
        request.protocol.request_began()
