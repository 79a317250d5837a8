"""Which addresses a webhook may be sent to (06-reliability W20): public ones by https, or what is allowed.

A host is resolved once, every address is judged, and the connection goes to the very address that was judged:
a name that answers otherwise a moment later leads nowhere else.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from typing import TypeAlias
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

RESOLVE_SECONDS = 5.0
WEB_PORTS, FIRST_FREE_PORT = (80, 443), 1024
"""Mail and other services listen below; a signed POST must not be made to speak to them."""


class Refused(OSError):
    """The target may not be reached; the text says why without naming an address."""


def judged(address: Address, allowed: Sequence[Network], *, secure: bool) -> bool:
    """Whether this address may be reached; ``secure``: by https."""
    plain = (
        isinstance(address, ipaddress.IPv6Address) and (address.ipv4_mapped or address.sixtofour)
    ) or address
    if any(plain.version == network.version and plain in network for network in allowed):
        return True
    return secure and plain.is_global and not plain.is_multicast and not address.is_reserved


def check_url(url: str) -> tuple[str, bool]:
    """Host, and whether the URL is https. Raises ``Refused`` for what is no plain web address."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Refused("a webhook's URL is https://HOST/...")
    if parts.username is not None or parts.password is not None:
        raise Refused("a webhook's URL holds no user and password")
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port is not None and port not in WEB_PORTS and port < FIRST_FREE_PORT:
        raise Refused("a webhook's port is 80, 443 or above 1023")
    return parts.hostname, parts.scheme == "https"


async def resolve(host: str, port: int, allowed: Sequence[Network], *, secure: bool) -> list[Address]:
    """All addresses of a host, if every one may be reached. Raises ``Refused``."""
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError):
        raise Refused("the webhook's host is not known") from None
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    if not addresses or not all(judged(address, allowed, secure=secure) for address in addresses):
        raise Refused("the webhook's host is not public, and its network is not allowed")
    return list(dict.fromkeys(addresses))


class JudgingResolver(AbstractResolver):
    """aiohttp's resolver: gives addresses that were judged, and aiohttp connects to those."""

    def __init__(self, allowed: Sequence[Network], *, secure: bool) -> None:
        self._allowed = allowed
        self._secure = secure

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """aiohttp calls this for every name. Raises ``Refused``."""
        addresses = await resolve(host, port, self._allowed, secure=self._secure)
        wanted = {4: socket.AF_INET, 6: socket.AF_INET6}
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=wanted[address.version],
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
            if family in (socket.AF_UNSPEC, wanted[address.version])
        ]

    async def close(self) -> None:
        """Nothing is held."""
