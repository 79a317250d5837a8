"""Slow clients of the real process, its limits set in its configuration, with and without TLS (W15).

Elsewhere the limits are tried one by one (``tests/signalling/test_limits.py``); here they must arrive from
``loupe.toml`` at the loop that ``loupe serve`` runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Iterator

import pytest

from tests.running import Server

LIMITS = """[limits]
header_seconds = 2.5
body_seconds = 2.5
idle_seconds = 3.0
tls_hello_seconds = 1.5
"""
GENEROUS_SECONDS = 10.0
"""Beyond its limit a connection may live this long before a test fails: this machine has other work."""
SHIPPED_PER_SOURCE = 50

ANYBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""The server signed its certificate itself."""
ANYBODY.check_hostname, ANYBODY.verify_mode = False, ssl.CERT_NONE

Raw = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(scope="module", params=["http", "https"])
def slow_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    extra = ("--self-made-tls",) if request.param == "https" else ()
    running = Server.start(tmp_path_factory.mktemp("slow"), configuration=LIMITS, extra=extra)
    assert running.url.startswith(f"{request.param}://")
    yield running
    assert running.stop() == 0


async def connect(server: Server, source: str, *, shake_hands: bool = True) -> Raw:
    """From an address of its own, so that no test takes another's connections."""
    secure = server.url.startswith("https") and shake_hands
    return await asyncio.open_connection(
        "127.0.0.1",
        int(server.url.rsplit(":", 1)[1]),
        ssl=ANYBODY if secure else None,
        local_addr=(source, 0),
    )


async def ended(raw: Raw, limit_seconds: float) -> tuple[bytes, float]:
    """What came until the server closed, and after how long. Fails when it does not, or too soon."""
    began, came = time.monotonic(), bytearray()
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(limit_seconds + GENEROUS_SECONDS):
            while piece := await raw[0].read(65_536):
                came += piece
    took = time.monotonic() - began
    raw[1].close()
    assert took > 0.5 * limit_seconds, f"closed after {took} s of {limit_seconds}"
    return bytes(came), took


async def trickle(raw: Raw, pieces: bytes) -> None:
    with contextlib.suppress(ConnectionError, AttributeError):  # asyncio's, of a TLS connection that ended
        for piece in pieces:
            raw[1].write(bytes([piece]))
            await raw[1].drain()
            await asyncio.sleep(0.1)


def head(server: Server, length: int) -> bytes:
    return (
        f"POST /whip/slow HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sdp\r\n"
        f"Authorization: Bearer {server.token('slow')}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


async def test_headers_must_come_in_time(slow_server: Server) -> None:
    silent = await connect(slow_server, "127.0.0.11")
    slow = await connect(slow_server, "127.0.0.11")
    task = asyncio.create_task(trickle(slow, b"GET /livez HTTP/1.1\r\nX: " + b"a" * 900))
    await asyncio.gather(ended(silent, 2.5), ended(slow, 2.5))
    await task


async def test_a_body_must_come_in_time(slow_server: Server) -> None:
    raw = await connect(slow_server, "127.0.0.12")
    raw[1].write(head(slow_server, 900))
    task = asyncio.create_task(trickle(raw, b"v" * 900))
    answer = await asyncio.wait_for(raw[0].readuntil(b"too_slow"), 2.5 + GENEROUS_SECONDS)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"Connection: close" in answer
    task.cancel()
    raw[1].close()


async def test_an_idle_connection_is_given_up(slow_server: Server) -> None:
    raw = await connect(slow_server, "127.0.0.13")
    raw[1].write(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    answer, _ = await ended(raw, 3.0)
    assert answer.startswith(b"HTTP/1.1 200")


async def test_a_hello_must_come_in_time(slow_server: Server) -> None:
    if not slow_server.url.startswith("https"):
        return  # plain HTTP has no hello: the silence above is its case
    raw = await connect(slow_server, "127.0.0.14", shake_hands=False)
    raw[1].write(b"\x16\x03\x01\x02")
    answer, _ = await ended(raw, 1.5)
    assert answer == b""


@pytest.mark.parametrize("shake_hands", [True, False])
async def test_a_source_has_fifty_connections_as_shipped(slow_server: Server, shake_hands: bool) -> None:
    """A handshake that has not ended counts as well."""
    source = "127.0.0.15" if shake_hands else "127.0.0.16"
    held = await asyncio.gather(
        *(connect(slow_server, source, shake_hands=shake_hands) for _ in range(SHIPPED_PER_SOURCE))
    )
    secure = slow_server.url.startswith("https")
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        over = await connect(slow_server, source, shake_hands=shake_hands)
        answer = await asyncio.wait_for(over[0].read(), 5)
        assert answer == b"" if secure else answer.startswith(b"HTTP/1.1 503")
    elsewhere = await connect(slow_server, "127.0.0.17")
    elsewhere[1].write(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert (await elsewhere[0].read()).startswith(b"HTTP/1.1 200")
    for raw in held:
        raw[1].transport.abort()
