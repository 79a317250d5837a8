"""Connections as they are accepted: counted first, then given a handshake, or sent away."""

from __future__ import annotations

import asyncio
import resource
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from signalling import acceptor, app, listener, tls
from signalling.listener import Listener
from tests.signalling.conftest import House, OpenHouse
from tests.signalling.test_limits import ended

CLIENT_HELLO_BEGINS = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


@pytest.fixture
async def secure_house(open_house: OpenHouse) -> House:
    """A server with small limits, whose TLS side ``secured`` opens."""
    return await open_house(connections_per_source=5, tls_hello_seconds=0.4, close_seconds=0.2)


@pytest.fixture
async def secured(secure_house: House, tmp_path: Path) -> AsyncIterator[tuple[Listener, ssl.SSLContext]]:
    made = tls.self_made(tmp_path, ["localhost", "127.0.0.1"])
    opened = await listener.open_listener(app.build(secure_house.parts), "127.0.0.1", 0, tls.context(made))
    yield opened, ssl.create_default_context(cafile=str(made.certificate))
    await opened.close()


async def emptied(house: House) -> None:
    async with asyncio.timeout(5):
        while len(house.parts.connections):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)


async def test_a_stalled_hello_has_a_place_of_its_source(
    secure_house: House, secured: tuple[Listener, ssl.SSLContext]
) -> None:
    """Else one source could hold thousands of connections, each with the memory of a handshake."""
    opened, trust = secured
    stalled = [await asyncio.open_connection("127.0.0.1", opened.port) for _ in range(5)]
    for index, (_, writer) in enumerate(stalled):
        writer.write(CLIENT_HELLO_BEGINS[: 2 * index])
    async with asyncio.timeout(5):
        while len(secure_house.parts.connections) < 5:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
    assert await ended(await asyncio.open_connection("127.0.0.1", opened.port)) == b""
    assert secure_house.parts.connections.ended == {"too_many_connections": 1}
    for raw in stalled:
        await ended(raw)
    await emptied(secure_house)
    assert secure_house.parts.connections.ended["tls_handshake"] == 5
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"https://localhost:{opened.port}/livez", ssl=trust) as response,
    ):
        assert response.status == 200


@pytest.mark.parametrize("says", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x00\x05hello"])
async def test_a_handshake_that_fails_gives_its_place_back(
    secure_house: House, secured: tuple[Listener, ssl.SSLContext], says: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", secured[0].port)
    writer.write(says)
    if not says:
        writer.close()
    await ended((reader, writer))
    await emptied(secure_house)
    assert secure_house.parts.connections.ended == {"tls_handshake": 1}


async def test_closing_lets_handshakes_under_way_go(
    secure_house: House, secured: tuple[Listener, ssl.SSLContext]
) -> None:
    raw = await asyncio.open_connection("127.0.0.1", secured[0].port)
    async with asyncio.timeout(5):
        while not len(secure_house.parts.connections):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
    secured[0].stop_accepting()
    secured[0].stop_accepting()
    await ended(raw)
    await emptied(secure_house)


async def test_out_of_descriptors_it_waits_and_goes_on(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceptor, "PAUSE_SECONDS", 0.05)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # The system takes them into the backlog; this loop does not turn before the limit stands.
    clients = [socket.create_connection(("127.0.0.1", house.listener.port)) for _ in range(3)]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(one.fileno() for one in clients) + 1, hard))
        await asyncio.sleep(0.2)
        assert len(house.parts.connections) == 0
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for client in clients:
        client.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=client)
        writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await ended((reader, writer))).startswith(b"HTTP/1.1 200")


async def test_every_address_of_a_name_is_listened_on(house: House) -> None:
    opened = await listener.open_listener(app.build(house.parts), "localhost", 0)
    families = {one.family for one in opened.acceptors[0]._sockets}
    async with aiohttp.ClientSession() as http, http.get(f"{opened.url}/livez") as response:
        assert response.status == 200
    await opened.close()
    names = {found[0] for found in socket.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM)}
    assert families == names
