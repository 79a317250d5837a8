"""WHEP, draft-ietf-wish-whep: ``POST /whep/{room}``
plays one source, or the room's first picture and sound."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from signalling import http_media, whep_layers
from signalling.context import services


async def create(request: web.Request) -> web.Response:
    """An offer to receive in. ``?source=`` takes a publication's label."""
    begin = partial(services(request).server.whep, source=request.query.get("source"))
    return await http_media.create(request, begin, whep_layers.links)


def routes() -> list[web.RouteDef]:
    """All of WHEP."""
    return [*http_media.routes("whep", create), *whep_layers.routes()]
