"""What hostile connections get, with the limits made small: real sockets, no waiting beyond those limits."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import time
from pathlib import Path

import pytest

from signalling import listener, tls
from signalling.limits import Connections, source_of
from tests.signalling.conftest import House, OpenHouse

Raw = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect(house: House) -> Raw:
    return await asyncio.open_connection("127.0.0.1", house.listener.port)


async def ended(raw: Raw, within_seconds: float = 3) -> bytes:
    """What came until the server closed; fails when it does not."""
    try:
        return await asyncio.wait_for(raw[0].read(), within_seconds)
    except ConnectionError:
        return b""
    finally:
        raw[1].close()


async def trickle(raw: Raw, pieces: bytes, every_seconds: float) -> None:
    """One byte after the other, until the server has had enough."""
    try:
        for piece in pieces:
            raw[1].write(bytes([piece]))
            await raw[1].drain()
            await asyncio.sleep(every_seconds)
    except ConnectionError:
        pass


async def test_a_connection_that_says_nothing_is_closed(open_house: OpenHouse) -> None:
    house = await open_house(header_seconds=0.1)
    assert await ended(await connect(house)) == b""
    assert house.parts.connections.ended == {"slow_headers": 1}
    assert len(house.parts.connections) == 0


async def test_slow_headers_are_closed_however_steadily_they_come(open_house: OpenHouse) -> None:
    house = await open_house(header_seconds=0.15)
    raw = await connect(house)
    slow = asyncio.create_task(trickle(raw, b"GET /livez HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 500, 0.02))
    start = time.monotonic()
    await ended(raw)
    assert 0.1 < time.monotonic() - start < 1.5
    await slow
    assert house.parts.connections.ended == {"slow_headers": 1}


async def test_slow_headers_of_a_second_request_too(open_house: OpenHouse) -> None:
    house = await open_house(header_seconds=0.15)
    raw = await connect(house)
    raw[1].write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await raw[0].readuntil(b"ok\n")).startswith(b"HTTP/1.1 200")
    raw[1].write(b"GET /li")
    await ended(raw)
    assert house.parts.connections.ended == {"slow_headers": 1}


async def test_an_idle_connection_is_closed(open_house: OpenHouse) -> None:
    house = await open_house(idle_seconds=0.1)
    raw = await connect(house)
    raw[1].write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await ended(raw)).startswith(b"HTTP/1.1 200")
    assert len(house.parts.connections) == 0


def offer_head(house: House, length: int) -> bytes:
    return (
        f"POST /whip/7QK2 HTTP/1.1\r\nHost: x\r\nContent-Type: application/sdp\r\n"
        f"Authorization: Bearer {house.token()}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


async def test_a_slow_body_gets_408(open_house: OpenHouse) -> None:
    house = await open_house(body_seconds=10, body_grace_seconds=0.1, body_bytes_per_second=1000)
    raw = await connect(house)
    raw[1].write(offer_head(house, 1000))
    slow = asyncio.create_task(trickle(raw, b"v" * 1000, 0.02))
    # Read while still sending: what comes after the close would reset the connection and the answer with it.
    answer = await asyncio.wait_for(raw[0].readuntil(b"too_slow"), 5)
    slow.cancel()
    raw[1].close()
    assert answer.startswith(b"HTTP/1.1 408")


async def test_a_body_has_a_last_moment_whatever_its_rate(open_house: OpenHouse) -> None:
    house = await open_house(body_seconds=0.15, body_grace_seconds=10)
    raw = await connect(house)
    raw[1].write(offer_head(house, 1000) + b"v=0")
    assert (await ended(raw, 5)).startswith(b"HTTP/1.1 408")


async def test_a_chunked_body_is_bounded_too(open_house: OpenHouse) -> None:
    house = await open_house(sdp_bytes=1000)
    raw = await connect(house)
    head = offer_head(house, 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    raw[1].write(head + b"400\r\n" + b"v" * 1024 + b"\r\n")
    assert (await ended(raw, 5)).startswith(b"HTTP/1.1 413")


async def test_after_a_body_that_was_refused_the_connection_closes(house: House) -> None:
    """Nothing but the server's own close ends this reading: what is left of the body is no request."""
    raw = await connect(house)
    raw[1].write(offer_head(house, 1_000_000) + b"v" * 1_000_000)
    answer = await ended(raw, 5)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"\r\nConnection: close\r\n" in answer
    assert house.parts.connections.ended == {}, "by no timer"


async def test_a_client_that_does_not_take_the_answer_is_cut(open_house: OpenHouse, tmp_path: Path) -> None:
    static = tmp_path / "static"
    static.mkdir()
    (static / "big-0123abcd.js").write_bytes(b"x" * 15 * 1024 * 1024)
    house = await open_house(static=static, exchange_seconds=0.3)
    raw = await connect(house)
    raw[0]._limit = 1  # type: ignore[attr-defined]
    raw[1].write(b"GET /big-0123abcd.js HTTP/1.1\r\nHost: x\r\n\r\n")
    async with asyncio.timeout(3):
        while len(house.parts.connections):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.02)
    assert house.parts.connections.ended == {"slow_exchange": 1}
    raw[1].close()


async def test_a_client_that_leaves_the_end_of_an_answer_is_cut(
    open_house: OpenHouse, tmp_path: Path
) -> None:
    """What fits into the buffer was written as far as the request is concerned; closing would wait for it."""
    static = tmp_path / "static"
    static.mkdir()
    (static / "page-0123abcd.js").write_bytes(b"x" * 50_000)
    house = await open_house(static=static, idle_seconds=0.2, close_seconds=0.1)
    raw = await connect(house)
    raw[1].get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw[1].transport.pause_reading()  # type: ignore[attr-defined]
    manager = house.listener.runner.server
    assert manager is not None
    [connection] = manager.connections
    assert connection.transport is not None
    async with asyncio.timeout(10):
        while not connection.transport.get_write_buffer_size():
            raw[1].write(b"GET /page-0123abcd.js HTTP/1.1\r\nHost: x\r\n\r\n")
            await asyncio.sleep(0.005)
    async with asyncio.timeout(5):
        while len(house.parts.connections):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.02)
    assert house.parts.connections.ended == {"idle": 1}
    raw[1].close()


async def test_a_source_has_so_many_connections_and_no_more(open_house: OpenHouse) -> None:
    house = await open_house(connections_per_source=5)
    held = [await connect(house) for _ in range(5)]
    for raw in held:
        raw[1].write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        await raw[0].readuntil(b"ok\n")
    refused = await ended(await connect(house))
    assert refused.startswith(b"HTTP/1.1 503")
    assert b"Retry-After" in refused
    held[0][1].close()
    async with asyncio.timeout(3):
        while len(house.parts.connections) == 5:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
    again = await connect(house)
    again[1].write(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert (await ended(again)).startswith(b"HTTP/1.1 200")
    for raw in held:
        raw[1].close()


async def test_headers_are_bounded(house: House) -> None:
    for head in (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nX: " + b"a" * 9000 + b"\r\n"):
        raw = await connect(house)
        raw[1].write(head + b"Host: x\r\n\r\n")
        assert (await ended(raw)).startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))


async def test_what_is_no_http_is_counted_and_neither_logged_nor_repeated(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    raw = await connect(house)
    raw[1].write(f"GET /livez HTTP/1.1\r\nHost: x\r\nAuthorization : Bearer {house.token()}\r\n\r\n".encode())
    with caplog.at_level("DEBUG", "aiohttp"):
        head, _, body = (await ended(raw)).partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == b"400"
    assert b"application/problem+json" in head
    assert b"Connection: close" in head or head.startswith(b"HTTP/1.0")
    assert b"Authorization" not in body
    assert json.loads(body)["code"] == "bad_request"
    assert house.parts.connections.ended == {"malformed_request": 1}
    assert not [record for record in caplog.records if record.name.startswith("aiohttp")]


async def test_a_client_that_goes_before_its_answer_is_not_logged(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    raw = await connect(house)
    with caplog.at_level("INFO"):
        raw[1].write(
            b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Protocol: loupe.v1.json\r\n\r\n"
        )
        raw[1].write_eof()
        await ended(raw)
        async with asyncio.timeout(3):
            while len(house.parts.connections):  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_stalled_tls_hello_is_closed(
    open_house: OpenHouse, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from signalling import app

    house = await open_house(tls_hello_seconds=0.2)
    made = tls.self_made(tmp_path_factory.mktemp("tls"), ["localhost", "127.0.0.1"])
    opened = await listener.open_listener(app.build(house.parts), "127.0.0.1", 0, tls.context(made))
    try:
        raw = await asyncio.open_connection("127.0.0.1", opened.port)
        raw[1].write(b"\x16\x03\x01")
        await ended(raw)
        trust = ssl.create_default_context(cafile=str(made.certificate))
        async with house.http.get(f"https://localhost:{opened.port}/livez", ssl=trust) as response:
            assert response.status == 200
            assert response.headers["Strict-Transport-Security"] == "max-age=31536000"
    finally:
        await opened.close()


# ---- WebSockets ----


async def test_a_silent_socket_is_closed_with_4408(open_house: OpenHouse) -> None:
    house = await open_house(join_seconds=0.1)
    assert await (await house.socket()).closed() == 4408


async def test_a_flood_of_messages_is_closed_with_1008(open_house: OpenHouse) -> None:
    house = await open_house(messages_per_second=5, message_burst=10)
    socket, _ = await house.join()
    for index in range(50):
        await socket.ws.send_json({"type": "ping", "id": 1000 + index})
    assert await socket.closed() == 1008
    pongs = [message for message in socket.events if message["type"] == "pong"]
    assert 8 <= len(pongs) <= 11
    assert socket.events[-1]["code"] == "rate_limited"


async def test_a_flood_of_empty_fragments_is_closed_with_1008(open_house: OpenHouse) -> None:
    house = await open_house(upgraded_bytes_per_second=1000, upgraded_burst_bytes=10_000)
    socket, _ = await house.join()
    transport = socket.ws._response.connection.transport  # type: ignore[union-attr]
    assert isinstance(transport, asyncio.Transport)
    transport.write(b"\x01\x80aaaa" + b"\x00\x80aaaa" * 20_000)
    assert await socket.closed() == 1008
    assert house.parts.connections.ended == {"flooded": 1}


async def test_silence_is_closed_with_4411(open_house: OpenHouse) -> None:
    house = await open_house(join_seconds=0.05, heartbeat_seconds=0.05, silence_seconds=0.2)
    ws = await house.http.ws_connect(f"{house.url}/ws", protocols=("loupe.v1.json",), autoping=False)
    await ws.send_json({"type": "join", "id": 1, "token": house.token()})
    assert (await ws.receive_json())["type"] == "hello"
    code = None
    while code is None:
        message = await ws.receive(timeout=3)
        code = message.data if message.type.name == "CLOSE" else None
    assert code == 4411


async def test_answering_pings_keeps_a_socket_open(open_house: OpenHouse) -> None:
    house = await open_house(join_seconds=0.02, heartbeat_seconds=0.02, silence_seconds=0.2)
    socket, _ = await house.join()
    with pytest.raises(TimeoutError):
        # receive()'s own timeout starts anew with every ping.
        async with asyncio.timeout(0.6):
            await socket.ws.receive()
    assert not socket.ws.closed


async def test_a_client_that_does_not_read_is_closed_and_costs_nobody_else(open_house: OpenHouse) -> None:
    house = await open_house(
        messages_per_second=100_000,
        message_burst=100_000,
        upgraded_burst_bytes=1e9,
        join_seconds=0.1,
        heartbeat_seconds=0.1,
        silence_seconds=1.0,
        resume_seconds=0.1,
        close_seconds=0.2,
    )
    speaker, _ = await house.join("surgeon")
    deaf, hello = await house.join("specialist")
    deaf.ws._response.connection.transport.pause_reading()  # type: ignore[union-attr]
    slowest = 0.0
    async with asyncio.timeout(20):
        while not any(message["type"] == "participant_left" for message in speaker.events):
            start = time.monotonic()
            assert (await speaker.ask("chat", text="ế" * 1900))["type"] == "ok"
            slowest = max(slowest, time.monotonic() - start)
            # Its own lines come back to the writer, who reads them.
            speaker.events = [message for message in speaker.events if message["type"] == "participant_left"]
        while len(house.parts.sessions) == 2:
            await speaker.ask("ping")
    assert (await speaker.event("participant_left"))["participant"] == hello["participant"]
    assert slowest < 0.5
    deaf.ws._response.connection.transport.abort()  # type: ignore[union-attr]


# ---- Parts ----


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("local", "local"),
    ],
)
def test_sources(address: str, source: str) -> None:
    assert source_of(address) == source


def test_a_trusted_proxy_is_not_counted_out() -> None:
    connections = Connections(1, ("127.0.0.0/8",))
    assert all(connections.enter("127.0.0.1") for _ in range(10))
    assert connections.enter("192.0.2.1")
    assert not connections.enter("192.0.2.1")
    assert not connections.enter("192.0.2.1")
    connections.leave("192.0.2.1")
    assert connections.enter("192.0.2.1")
