"""REST of the pre-call test: an invitation opens a private room for a few seconds."""

from __future__ import annotations

from aiohttp import web
from msgspec import Struct

from mediaserver import errors
from mediaserver.policy import PUBLISHING, Right
from signalling.context import bearer, services
from signalling.openapi import Route, json_response
from signalling.precall import TEST_SECONDS
from signalling.tokens import Audience


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
    invited = bearer(request, Audience.INVITE)
    if not invited.rights & (PUBLISHING | {Right.SUBSCRIBE}):
        raise errors.NotPermitted("this role enters no room")
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
)
