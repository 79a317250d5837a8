"""T05, scaled to one machine: many bad clients at once, and an honest one that must not notice."""

from __future__ import annotations

import asyncio
import resource
import time

import pytest

from tests.signalling.conftest import House, OpenHouse
from tests.signalling.offers import offer

pytestmark = pytest.mark.slow

SILENT_SOCKETS = 2_000
BAD_OF_EACH_KIND = 50
HONEST_REQUESTS = 100


async def ended(reader: asyncio.StreamReader) -> None:
    try:
        while await reader.read(65536):
            pass
    except ConnectionError:
        pass


async def silent(house: House) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", house.listener.port)
    await ended(reader)
    writer.close()


async def slow_headers(house: House) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", house.listener.port)
    reading = asyncio.create_task(ended(reader))
    while not reading.done():
        writer.write(b"GET / HTTP/1.1\r\n" if not reading.done() else b"X: a\r\n")
        await asyncio.wait({reading}, timeout=0.5)
    writer.close()


async def flood(house: House) -> None:
    socket, _ = await house.join("observer", f"room-{id(asyncio.current_task())}")
    try:
        for index in range(10_000):
            await socket.ws.send_json({"type": "ping", "id": index})
    except ConnectionError:
        pass
    assert await socket.closed() == 1008


async def large_sdp(house: House) -> None:
    headers = {"Content-Type": "application/sdp", **house.bearer("surgeon", "big")}
    try:
        async with house.http.post(
            f"{house.url}/whip/big", data=b"v" * 1_000_000, headers=headers
        ) as response:
            assert response.status == 413
    except ConnectionError:
        pass  # it was closed while still sending: as good


async def honest(house: House) -> list[float]:
    took = []
    socket, _ = await house.join("surgeon", "honest")
    for _ in range(HONEST_REQUESTS):
        start = time.monotonic()
        async with house.http.get(f"{house.url}/readyz") as response:
            assert response.status == 200
        assert (await socket.ask("ping"))["type"] == "pong"
        took.append(time.monotonic() - start)
        await asyncio.sleep(0.02)
    return sorted(took)


@pytest.mark.timeout(110)
async def test_an_honest_client_among_abuse(open_house: OpenHouse) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * (SILENT_SOCKETS + 10 * BAD_OF_EACH_KIND)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, wanted), hard), hard))
    house = await open_house(connections_per_source=10_000, header_seconds=5.0)
    bad = [asyncio.create_task(silent(house)) for _ in range(SILENT_SOCKETS)]
    for _ in range(BAD_OF_EACH_KIND):
        bad += [asyncio.create_task(kind(house)) for kind in (slow_headers, large_sdp)]
    bad += [asyncio.create_task(flood(house)) for _ in range(3)]
    took = await honest(house)
    start = time.monotonic()
    await asyncio.gather(*bad)
    assert time.monotonic() - start < 35, "all offenders are closed"
    # Clients and server share this test's one event loop, so the figure is of both.
    assert took[int(len(took) * 0.5)] < 0.5, took
    async with house.http.post(
        f"{house.url}/whip/after",
        data=offer(),
        headers={"Content-Type": "application/sdp", **house.bearer("staff", "after")},
    ) as response:
        assert response.status == 201
