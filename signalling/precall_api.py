"""REST of the pre-call test: an invitation opens a private room for a few seconds."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time

from aiohttp import web
from msgspec import Struct

from mediaserver import errors
from mediaserver.policy import PUBLISHING, Right
from signalling.auth import Bearer
from signalling.context import bearer, services
from signalling.openapi import Route, json_response
from signalling.precall import TEST_SECONDS
from signalling.tokens import Audience

DOWNLOAD_SECONDS = 4.0
DOWNLOAD_BITS_PER_SECOND = 3_000_000
"""More than any role needs to watch; with as many tests as may run, 12 Mbit/s."""
CHUNK_BYTES = 7_500


class PrecallTest(Struct, frozen=True, kw_only=True):
    """A private room: join it twice, send with one session and watch with the other."""

    room: str
    send_token: str
    receive_token: str
    seconds: int
    """How long the test shall take; the room is closed not long after."""


async def begin(request: web.Request) -> web.Response:
    """Opens a private room in which a client measures its way to this server."""
    parts = services(request)
    invited = _invited(request)
    if not parts.server.ready:
        raise errors.Draining
    test = parts.precalls.begin(invited, request.remote or "")
    answer = PrecallTest(
        room=test.room,
        send_token=test.send_token,
        receive_token=test.receive_token,
        seconds=TEST_SECONDS,
    )
    return json_response(answer)


async def download(request: web.Request) -> web.StreamResponse:
    """Random bytes at a bounded rate: what the way down carries where the way up is too weak to try it."""
    _invited(request)
    services(request).precalls.download(request.match_info["room"])
    response = web.StreamResponse(
        headers={"Content-Type": "application/octet-stream", "Cache-Control": "no-store"}
    )
    await response.prepare(request)
    # Who has measured enough goes.
    with contextlib.suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(DOWNLOAD_SECONDS):
            await _stream(response)
    return response


async def _stream(response: web.StreamResponse) -> None:
    begun = time.monotonic()
    sent = 0
    while True:
        await response.write(os.urandom(CHUNK_BYTES))
        sent += CHUNK_BYTES
        await asyncio.sleep(begun + sent * 8 / DOWNLOAD_BITS_PER_SECOND - time.monotonic())


def _invited(request: web.Request) -> Bearer:
    invited = bearer(request, Audience.INVITE)
    if not invited.rights & (PUBLISHING | {Right.SUBSCRIBE}):
        raise errors.NotPermitted("this role enters no room")
    return invited


ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/api/v1/precall",
        handler=begin,
        summary="Opens a private room for a pre-call test.",
        response=PrecallTest,
        bearer="an invitation",
        rights="an invitation that enters a room",
        problems=(401, 403, 429, 503),
    ),
    Route(
        method="GET",
        path="/api/v1/precall/{room}/download",
        handler=download,
        summary="Random bytes at a bounded rate for some seconds, once a test.",
        response=None,
        binary="application/octet-stream",
        bearer="an invitation",
        rights="an invitation that enters a room, while this test runs",
        problems=(401, 403, 404, 429),
    ),
)
