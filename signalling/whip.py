"""WHIP, RFC 9725: ``POST /whip/{room}`` publishes one stream of at most one picture and one sound."""

from __future__ import annotations

from aiohttp import web

from signalling import http_media
from signalling.context import bearer, services
from signalling.messages import MAX_NAME_CHARACTERS
from signalling.names import clean


async def create(request: web.Request) -> web.Response:
    """An offer in, 201 with the answer out. The room comes into being by this."""
    holder = bearer(request)
    room = http_media.room_of(request, holder)
    offer = await http_media.offer_of(request)
    name = clean(holder.claims.name or "", MAX_NAME_CHARACTERS)
    session = await services(request).server.whip(holder.identity(), name, offer)
    return http_media.created(request, session, holder, room)


def routes() -> list[web.RouteDef]:
    """All of WHIP."""
    return http_media.routes("whip", create)
