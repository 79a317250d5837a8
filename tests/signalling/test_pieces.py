"""Bytes go out piece by piece, and no further once they may not be seen any more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from mediaserver.store.recordings import UnknownRecording
from signalling import pieces

CONTENT = bytes(range(251)) * 4_000
Serve = Callable[[Callable[[int], object]], Awaitable[aiohttp.ClientResponse]]


@pytest.fixture
async def served() -> AsyncIterator[tuple[Serve, list[int]]]:
    """Asks for all but the first ten bytes, of a server whose ``check`` is told how many pieces went out."""
    lengths: list[int] = []
    servers: list[TestServer] = []
    client = aiohttp.ClientSession()

    async def ask(check: Callable[[int], object]) -> aiohttp.ClientResponse:
        async def read(offset: int, length: int) -> bytes:
            lengths.append(length)
            return CONTENT[offset : offset + length]

        async def handle(request: web.Request) -> web.StreamResponse:
            whole = range(10, len(CONTENT))
            return await pieces.send(request, web.StreamResponse(), whole, read, lambda: check(len(lengths)))

        application = web.Application()
        application.router.add_get("/", handle)
        servers.append(TestServer(application))
        await servers[-1].start_server()
        return await client.get(servers[-1].make_url("/"))

    yield ask, lengths
    await client.close()
    for server in servers:
        await server.close()


def refuse() -> None:
    raise UnknownRecording


async def test_everything_goes_out_in_pieces(served: tuple[Serve, list[int]]) -> None:
    ask, lengths = served
    answer = await ask(lambda _: None)
    assert await answer.read() == CONTENT[10:]
    assert answer.headers["Content-Length"] == str(len(CONTENT) - 10)
    assert (len(lengths), max(lengths)) == (4, pieces.PIECE_BYTES)


async def test_what_may_not_be_seen_any_more_ends_in_its_midst(served: tuple[Serve, list[int]]) -> None:
    ask, lengths = served
    answer = await ask(lambda count: refuse() if count == 3 else None)
    assert answer.status == 200
    with pytest.raises(aiohttp.ClientPayloadError):
        await answer.read()
    assert len(lengths) == 3


async def test_what_may_not_be_seen_at_all_is_an_answer(served: tuple[Serve, list[int]]) -> None:
    ask, _ = served
    assert (await ask(lambda _: refuse())).status == 500, "as the application's own middleware words it"
