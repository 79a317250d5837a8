"""Relays (TURN, RFC 8656) that the server names: the way of pictures where UDP to it is closed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from aioice import stun, turn
from aiortc import RTCIceServer
from aiortc.rtcicetransport import parse_stun_turn_uri
from msgspec.structs import replace as with_fields

from signalling.preflight.findings import Finding, Verdict

MAX_RELAYS = 3
"""Looked at: a browser takes more time to connect with each."""
ANSWER_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Relay:
    """One address of a server, and how it is reached."""

    server: RTCIceServer
    host: str
    port: int
    transport: str
    secure: bool

    @property
    def where(self) -> str:
        """For a firewall's rules."""
        return f"{self.host} {'TLS' if self.secure else self.transport.upper()} {self.port}"


def single(servers: Iterable[RTCIceServer]) -> list[Relay]:
    """Each relay by itself, in the order in which they are told, of those that this client can use."""
    found: list[Relay] = []
    for server in servers:
        urls = [server.urls] if isinstance(server.urls, str) else server.urls
        found += [relay for url in urls if (relay := _relay(server, url)) is not None]
    return found[:MAX_RELAYS]


def _relay(server: RTCIceServer, url: str) -> Relay | None:
    try:
        way = parse_stun_turn_uri(url)
    except ValueError:
        return None
    secure = way["scheme"] == "turns"
    # TURN over DTLS is what nobody here speaks.
    if not (way["scheme"] == "turn" or (secure and way["transport"] == "tcp")):
        return None
    return Relay(
        server=replace(server, urls=url),
        host=way["host"],
        port=way["port"],
        transport=way["transport"],
        secure=secure,
    )


async def examine(relays: Sequence[Relay]) -> list[Finding]:
    """Whether each gives an address to those who ask with the server's credentials, all at once."""
    return list(await asyncio.gather(*(_ask(one) for one in relays)))


async def _ask(relay: Relay) -> Finding:
    where = relay.where
    begun = time.monotonic()
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            transport, _ = await turn.create_turn_endpoint(
                asyncio.DatagramProtocol,
                server_addr=(relay.host, relay.port),
                username=relay.server.username,
                password=relay.server.credential,
                ssl=relay.secure,
                transport=relay.transport,
            )
    except (stun.TransactionError, OSError, TimeoutError) as error:
        detail = str(error) or "no answer"
        return Finding(item="relay", verdict=Verdict.BLOCKED, where=where, detail=detail)
    transport.close()
    detail = f"{(time.monotonic() - begun) * 1000:.0f} ms"
    return Finding(item="relay", verdict=Verdict.OPEN, where=where, detail=detail)


def in_reserve(finding: Finding) -> Finding:
    """Of a relay where pictures come without it."""
    closed = finding.verdict is Verdict.BLOCKED
    return with_fields(finding, verdict=Verdict.WEAK) if closed else finding
