"""The way up to the WebSocket: name, TCP, TLS, HTTP, upgrade. Each step needs the one before."""

from __future__ import annotations

import asyncio
import datetime
import socket
import ssl
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
from cryptography import x509
from cryptography.x509.oid import NameOID

from signalling.messages import PROTOCOL
from signalling.preflight.findings import Finding, Item, Verdict
from signalling.problem import SERVER_NAME

STEP_SECONDS = 8.0
"""A firewall that drops says nothing; whoever waits longer than this gives up."""
SLOW_SECONDS = 0.5
CERTIFICATE_WARN_DAYS = 14


@dataclass(frozen=True, slots=True)
class Target:
    """The server asked for. ``invitation`` is what stood behind ``#`` of a link, or empty."""

    scheme: str
    host: str
    port: int
    invitation: str

    @property
    def url(self) -> str:
        """Without path."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def parse_target(text: str) -> Target:
    """``https://HOST[:PORT][/PAGE/ROOM#INVITATION]``. Raises ``ValueError``."""
    parts = urlsplit(text if "://" in text else f"https://{text}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(
            "give the server's address, or a whole invitation link: https://HOST:8443/consult/R7#..."
        )
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return Target(parts.scheme, parts.hostname, port, parts.fragment)


async def examine(target: Target) -> tuple[list[Finding], ssl.SSLContext | bool]:
    """The steps up to the WebSocket, and how TLS is to be spoken from here on."""
    tls: ssl.SSLContext | bool = True
    findings = [await _name(target)]
    if _passed(findings):
        findings.append(await _tcp(target))
    if _passed(findings) and target.scheme == "https":
        finding = await _tls(target)
        findings.append(finding)
        if finding.verdict is Verdict.WEAK:
            # Untrusted, and said so: what lies behind it can be tested all the same.
            tls = _unverified()
    if _passed(findings):
        findings.append(await _http(target, tls))
    if _passed(findings):
        findings.append(await _websocket(target, tls))
    return findings, tls


def _passed(findings: list[Finding]) -> bool:
    return findings[-1].verdict is not Verdict.BLOCKED


def _blocked(item: Item, where: str, error: BaseException) -> Finding:
    return Finding(item=item, verdict=Verdict.BLOCKED, where=where, detail=_told(error))


def _told(error: BaseException) -> str:
    """What IT can look for: the answer's status, else the system's own words."""
    if isinstance(error, aiohttp.ClientResponseError):
        return f"HTTP {error.status}"
    return str(getattr(error, "strerror", None) or str(error) or type(error).__name__)


def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _name(target: Target) -> Finding:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(STEP_SECONDS):
            found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError) as error:
        return _blocked("name", target.host, error)
    addresses = sorted({str(entry[4][0]) for entry in found})
    return Finding(item="name", verdict=Verdict.OPEN, where=target.host, detail=", ".join(addresses))


async def _tcp(target: Target) -> Finding:
    where = f"{target.host} TCP {target.port}"
    begun = time.monotonic()
    try:
        async with asyncio.timeout(STEP_SECONDS):
            _, writer = await asyncio.open_connection(target.host, target.port)
    except (OSError, TimeoutError) as error:
        return _blocked("tcp", where, error)
    took = time.monotonic() - begun
    writer.transport.abort()
    verdict = Verdict.OPEN if took <= SLOW_SECONDS else Verdict.WEAK
    return Finding(item="tcp", verdict=verdict, where=where, detail=f"{took * 1000:.0f} ms")


async def _tls(target: Target) -> Finding:
    where = f"{target.host} TCP {target.port}"
    trusted = True
    try:
        certificate = await _certificate(target, ssl.create_default_context())
    except ssl.SSLCertVerificationError:
        trusted = False
        try:
            certificate = await _certificate(target, _unverified())
        except (OSError, TimeoutError) as error:
            return _blocked("tls", where, error)
    except (OSError, TimeoutError) as error:
        return _blocked("tls", where, error)
    left = (certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)).days
    names = certificate.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
    issuer = str(names[0].value) if names else "?"
    verdict = Verdict.OPEN if trusted and left >= CERTIFICATE_WARN_DAYS else Verdict.WEAK
    return Finding(item="tls", verdict=verdict, where=where, detail=f"{issuer}, {left} d")


async def _certificate(target: Target, context: ssl.SSLContext) -> x509.Certificate:
    async with asyncio.timeout(STEP_SECONDS):
        _, writer = await asyncio.open_connection(target.host, target.port, ssl=context)
    secured: ssl.SSLObject = writer.get_extra_info("ssl_object")
    der = secured.getpeercert(binary_form=True)
    writer.transport.abort()
    assert der is not None, "a TLS server has shown its certificate"
    return x509.load_der_x509_certificate(der)


async def _http(target: Target, tls: ssl.SSLContext | bool) -> Finding:
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(STEP_SECONDS)) as http,
            http.get(f"{target.url}/livez", ssl=tls) as response,
        ):
            server = response.headers.get("Server", "")
            found = response.status == 200 and server == SERVER_NAME
            detail = f"HTTP {response.status}" + ("" if found else f", Server: {server[:40]}")
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        return _blocked("http", target.url, error)
    verdict = Verdict.OPEN if found else Verdict.BLOCKED
    return Finding(item="http", verdict=verdict, where=target.url, detail=detail)


async def _websocket(target: Target, tls: ssl.SSLContext | bool) -> Finding:
    where = f"{'wss' if target.scheme == 'https' else 'ws'}{target.url.removeprefix(target.scheme)}/ws"
    begun = time.monotonic()
    try:
        async with (
            asyncio.timeout(STEP_SECONDS),
            aiohttp.ClientSession() as http,
            http.ws_connect(f"{target.url}/ws", protocols=(PROTOCOL,), ssl=tls) as socket_,
        ):
            took = time.monotonic() - begun
            if socket_.protocol != PROTOCOL:
                return Finding(
                    item="websocket", verdict=Verdict.BLOCKED, where=where, detail="no subprotocol"
                )
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        return _blocked("websocket", where, error)
    return Finding(item="websocket", verdict=Verdict.OPEN, where=where, detail=f"{took * 1000:.0f} ms")
