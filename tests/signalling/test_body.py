"""Bodies over real connections: type, size and pace."""

from __future__ import annotations

import asyncio

import pytest

from tests.signalling.conftest import House, OpenHouse

JOIN = "/api/v1/join"


def head(house: House, length: int, **headers: str) -> bytes:
    from signalling.tokens import Audience

    token = house.token("surgeon", audience=Audience.INVITE)
    sent = {"Host": "x", "Authorization": f"Bearer {token}", "Content-Length": str(length), **headers}
    lines = [f"POST {JOIN} HTTP/1.1", *(f"{name.replace('_', '-')}: {value}" for name, value in sent.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


async def status(house: House, *parts: bytes) -> int:
    """The status of a request sent in parts, 50 ms apart."""
    reader, writer = await asyncio.open_connection("127.0.0.1", house.listener.port)
    try:
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0.05)
        line = await asyncio.wait_for(reader.readline(), 5)
        return int(line.split()[1])
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Content_Type": "application/json"}, 200),
        ({"Content_Type": "application/json; charset=utf-8"}, 200),
        ({"Content_Type": "text/plain"}, 415),
        ({}, 415),
        ({"Content_Type": "application/json", "Content_Encoding": "gzip"}, 415),
    ],
)
async def test_types(house: House, headers: dict[str, str], expected: int) -> None:
    assert await status(house, head(house, 2, **headers), b"{}") == expected


async def test_too_large_is_said_before_and_while_reading(open_house: OpenHouse) -> None:
    house = await open_house(api_body_bytes=1000)
    json = {"Content_Type": "application/json"}
    assert await status(house, head(house, 1001, **json)) == 413
    chunked = head(house, 0, **json).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    chunk = b"1f4\r\n" + b" " * 500 + b"\r\n"
    assert await status(house, chunked, chunk, chunk, chunk) == 413


async def test_a_body_that_stops_or_crawls_is_ended(open_house: OpenHouse) -> None:
    json = {"Content_Type": "application/json"}
    stopped = await open_house(body_seconds=0.1)
    assert await status(stopped, head(stopped, 100, **json), b"{") == 408
    crawling = await open_house(body_grace_seconds=0.1, body_bytes_per_second=1000.0)
    assert await status(crawling, head(crawling, 1000, **json), *[b" "] * 5) == 408


async def test_what_is_not_json_or_not_utf8(house: House) -> None:
    json = {"Content_Type": "application/json"}
    assert await status(house, head(house, 1, **json), b"{") == 400
    assert await status(house, head(house, 14, **json), b'{"name":"\xff\xfe1"}') == 400
