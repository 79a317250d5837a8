"""WHIP, RFC 9725: ``POST /whip/{room}`` publishes one stream of at most one picture and one sound."""

from __future__ import annotations

from aiohttp import web

from signalling import http_media
from signalling.context import services


async def create(request: web.Request) -> web.Response:
    """An offer to send in. The room comes into being by this."""
    return await http_media.create(request, services(request).server.whip)


def routes() -> list[web.RouteDef]:
    """All of WHIP."""
    return http_media.routes("whip", create)
