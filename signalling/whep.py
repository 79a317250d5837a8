"""WHEP, draft-ietf-wish-whep: ``POST /whep/{room}``
plays one source, or the room's first picture and sound."""

from __future__ import annotations

from aiohttp import web

from mediaserver import errors
from signalling import http_media
from signalling.context import bearer, services
from signalling.messages import MAX_LABEL_CHARACTERS, MAX_NAME_CHARACTERS
from signalling.names import clean


async def create(request: web.Request) -> web.Response:
    """An offer to receive in, 201 with the answer out. ``?source=`` takes a publication's label."""
    holder = bearer(request)
    room = http_media.room_of(request, holder)
    source = request.query.get("source")
    if source is not None and not 1 <= len(source) <= MAX_LABEL_CHARACTERS:
        raise errors.NothingPublished("no source has this label")
    offer = await http_media.offer_of(request)
    name = clean(holder.claims.name or "", MAX_NAME_CHARACTERS)
    session = await services(request).server.whep(holder.identity(), name, offer, source)
    return http_media.created(request, session, holder, room)


def routes() -> list[web.RouteDef]:
    """All of WHEP."""
    return http_media.routes("whep", create)
