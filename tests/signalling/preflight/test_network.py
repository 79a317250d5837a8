"""Each step up to the WebSocket, against a real server and against what may stand in its place."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from signalling import tls
from signalling.preflight import network
from signalling.preflight.findings import Verdict
from signalling.preflight.network import Target
from tests.signalling.conftest import House


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://h.example:8443/consult/R7#abc.d-e", Target("https", "h.example", 8443, "abc.d-e")),
        ("h.example", Target("https", "h.example", 443, "")),
        ("http://[::1]:8080", Target("http", "::1", 8080, "")),
    ],
)
def test_an_address_or_a_link(text: str, expected: Target) -> None:
    assert network.parse_target(text) == expected


@pytest.mark.parametrize("text", ["", "ftp://h", "https://", "https://h:99999"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        network.parse_target(text)


async def test_everything_open(house: House) -> None:
    findings, trust = await network.examine(network.parse_target(house.url))
    assert [(one.item, one.verdict) for one in findings] == [
        ("name", Verdict.OPEN),
        ("tcp", Verdict.OPEN),
        ("http", Verdict.OPEN),
        ("websocket", Verdict.OPEN),
    ]
    assert trust is True


async def test_a_closed_port_ends_the_test_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    findings, _ = await network.examine(Target("https", "127.0.0.1", port, ""))
    assert [one.item for one in findings] == ["name", "tcp"]
    assert findings[-1].verdict is Verdict.BLOCKED
    assert findings[-1].where == f"127.0.0.1 TCP {port}"


async def test_a_name_that_is_none() -> None:
    findings, _ = await network.examine(Target("https", "no-such-host.invalid", 443, ""))
    assert [(one.item, one.verdict) for one in findings] == [("name", Verdict.BLOCKED)]


async def test_what_does_not_speak_tls_is_blocked(house: House) -> None:
    target = network.parse_target(house.url)
    findings, _ = await network.examine(Target("https", target.host, target.port, ""))
    assert (findings[-1].item, findings[-1].verdict) == ("tls", Verdict.BLOCKED)


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Target]:
    """Something with a certificate of its own that answers for the server."""

    async def page(_: web.Request) -> web.Response:
        return web.Response(text="blocked by policy", headers={"Server": "filter"})

    application = web.Application()
    application.add_routes([web.get("/{any:.*}", page)])
    runner = web.AppRunner(application)
    await runner.setup()
    made = tls.self_made(tmp_path, ["127.0.0.1"])
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls.context(made))
    await site.start()
    yield Target("https", "127.0.0.1", runner.addresses[0][1], "")
    await runner.cleanup()
    await asyncio.sleep(0)


async def test_a_page_in_the_servers_place_is_not_the_server(proxy: Target) -> None:
    findings, trust = await network.examine(proxy)
    assert [(one.item, one.verdict) for one in findings][2:] == [
        ("tls", Verdict.WEAK),
        ("http", Verdict.BLOCKED),
    ]
    assert "filter" in findings[-1].detail
    assert trust is not True, "nothing secret may be told over it"
