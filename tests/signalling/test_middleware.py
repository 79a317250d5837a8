"""What every response carries, and what becomes of errors."""

from __future__ import annotations

import asyncio
import io
import json
import logging

import aiohttp
import pytest
import structlog
from aiohttp import web

from mediaserver import log
from signalling import app, listener
from signalling.messages import PROTOCOL
from tests.signalling.conftest import House


async def test_every_response_is_dressed(house: House) -> None:
    for path in ("/livez", "/api/v1/rooms", "/nowhere", "/whip/x", "/theatre/7QK2"):
        async with house.http.get(f"{house.url}{path}") as response:
            headers = response.headers
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
            assert "aiohttp" not in headers["Server"].lower()
            assert "/" not in headers["Server"], "no version"
            assert headers["X-Request-Id"]
    async with house.http.get(f"{house.url}/nowhere") as response:
        assert (response.status, response.content_type) == (404, "application/problem+json")


async def test_no_answer_tells_what_it_was_made_with(house: House) -> None:
    """Neither an upgrade nor what aiohttp answers by itself."""
    async with house.http.ws_connect(f"{house.url}/ws", protocols=(PROTOCOL,)) as ws:
        assert ws._response.headers["Server"] == "loupe"
    for raw in (
        b"GET /livez HTTP/1.1\r\nHost: x\r\nExpect: nothing\r\n\r\n",
        b"GET /livez\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", house.listener.port)
        writer.write(raw)
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert b"\r\nServer: loupe\r\n" in answer
        assert b"aiohttp" not in answer
        writer.close()


async def test_what_is_our_fault_is_logged_once_and_not_told(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(_: web.Request) -> web.Response:
        raise RuntimeError("Trần Thị Bích")

    application = app.build(house.parts)
    application.router.add_get("/broken", broken)
    listening = await listener.open_listener(application, "127.0.0.1", 0)
    try:
        with caplog.at_level(logging.ERROR):
            async with aiohttp.ClientSession() as http, http.get(f"{listening.url}/broken") as response:
                body = await response.json(content_type=None)
    finally:
        await listening.close()
    assert response.status == 500
    assert "Bích" not in str(body)
    failed = [record for record in caplog.records if record.message == "request failed"]
    assert [vars(record)["request_id"] for record in failed] == [response.headers["X-Request-Id"]]


async def test_a_fault_met_again_and_again_is_one_line(house: House) -> None:
    async def broken(_: web.Request) -> web.Response:
        raise RuntimeError("broken")

    root, stream = logging.getLogger(), io.StringIO()
    before, level = root.handlers[:], root.level
    application = app.build(house.parts)
    application.router.add_get("/broken", broken)
    listening = await listener.open_listener(application, "127.0.0.1", 0)
    try:
        log.configure("info", "json", stream)
        async with aiohttp.ClientSession() as http:
            began = asyncio.get_running_loop().time()
            for _ in range(100):
                async with http.get(f"{listening.url}/broken") as response:
                    assert response.status == 500
            seconds = asyncio.get_running_loop().time() - began
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        structlog.reset_defaults()
        await listening.close()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert 1 <= len(lines) <= 1 + seconds
    assert sum(1 + line.get("suppressed", 0) for line in lines) <= 100
    assert "RuntimeError" in lines[0]["exception"]


async def test_what_aiohttp_refuses_is_a_problem_too(house: House) -> None:
    async with house.http.post(f"{house.url}/livez") as response:
        assert response.status == 405
        assert response.headers["Allow"] == "GET,HEAD"
        assert (await response.json(content_type=None))["code"] == "method_not_allowed"
    async with house.http.put(f"{house.url}/whip/7QK2") as response:
        assert response.headers["Access-Control-Allow-Origin"] == "*"
