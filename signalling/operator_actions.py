"""``/api/v1/operations``, what changes something: key frame, mute, top layer, reconnect, drain.

Every path needs the right ``inspect``; every action is audited, done, refused, malformed or in vain.
None shows a picture.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct

from mediaserver import errors
from mediaserver.audit import Details, Event
from mediaserver.ids import ParticipantId, PublicationId, RoomId
from mediaserver.policy import Right
from mediaserver.store.audit import reason_place
from signalling import body
from signalling.auditing import actor
from signalling.auth import Bearer
from signalling.context import Services, bearer, services
from signalling.errors import LiveSurgeries
from signalling.openapi import Route, served
from signalling.tokens import ANY_ROOM

PREFIX = "/api/v1/operations"
_PUBLICATION = f"{PREFIX}/rooms/{{room}}/publications/{{publication}}"
MIN_REASON_CHARACTERS = 10
MAX_ID_CHARACTERS = 64
"""Of a name in a path that the audit keeps: one that somebody made up may be longer."""


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """An empty object."""


class Muted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether the source is forwarded to nobody."""

    muted: bool


class TopLayer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The highest layer that anybody gets, lowest 0; null: no limit."""

    layer: Annotated[int, Meta(ge=0, le=3)] | None


class Drain(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``override`` is the reason for which surgeries are interrupted; the audit keeps it where there is a
    master key to seal it with."""

    override: Annotated[str, Meta(max_length=500)] = ""


def _operator(request: web.Request) -> Bearer:
    """Who asks, if they may do it here. Raises ``Unauthorized``, ``NotPermitted``."""
    holder = bearer(request)
    room = request.match_info.get("room")
    seen = holder.claims.room == ANY_ROOM if room is None else holder.may_see_room(room)
    if Right.INSPECT not in holder.rights or not seen:
        raise errors.NotPermitted("this needs the right inspect")
    return holder


def _note(
    request: web.Request, holder: Bearer, action: str, details: Details, outcome: str = "success"
) -> None:
    at = {key: name[:MAX_ID_CHARACTERS] for key, name in request.match_info.items()}
    services(request).audit.append(
        Event.OPERATIONS_ACT,
        actor=actor(holder, request.remote),
        room=at.get("room"),
        subject=at.get("publication") or at.get("participant"),
        outcome=outcome,
        details={"action": action, **details},
    )


@contextlib.contextmanager
def _acting(request: web.Request, holder: Bearer, action: str) -> Iterator[dict[str, object]]:
    """Audits what is done within, and what fails: who asks for what is not there, or asks malformed, may be
    guessing. What it gives takes details of the action."""
    details: dict[str, object] = {}
    try:
        yield details
    except errors.LoupeError as error:
        outcome = "denied" if isinstance(error, LiveSurgeries) else "failed"
        _note(request, holder, action, {**details, "code": error.code}, outcome=outcome)
        raise
    _note(request, holder, action, details)


def _sealed(parts: Services, holder: Bearer, reason: str) -> dict[str, object]:
    """A reason may say whom it is about: the audit keeps it sealed, or only that one was given."""
    vault = None if parts.store is None else parts.store.vault
    if vault is None:
        return {"reason_kept": False}
    return {"sealed_reason": vault.seal_field(reason, reason_place(holder.claims.sub)).hex()}


def _source(request: web.Request) -> tuple[RoomId, PublicationId]:
    return RoomId(request.match_info["room"]), PublicationId(request.match_info["publication"])


async def keyframe(request: web.Request) -> web.Response:
    """Asks a source for a key frame."""
    holder = _operator(request)
    parts = services(request)
    with _acting(request, holder, "keyframe"):
        await body.read_json(request, parts.limits, Nothing)
        parts.server.actions.request_keyframe(*_source(request))
    return web.Response(status=204)


async def mute(request: web.Request) -> web.Response:
    """Stops or resumes forwarding a source."""
    holder = _operator(request)
    parts = services(request)
    with _acting(request, holder, "mute") as details:
        wish = await body.read_json(request, parts.limits, Muted)
        details["muted"] = wish.muted
        parts.server.actions.mute(*_source(request), wish.muted)
    return web.Response(status=204)


async def top_layer(request: web.Request) -> web.Response:
    """Limits the layers of a source."""
    holder = _operator(request)
    parts = services(request)
    with _acting(request, holder, "top_layer") as details:
        wish = await body.read_json(request, parts.limits, TopLayer)
        details["layer"] = wish.layer
        parts.server.actions.limit(*_source(request), wish.layer)
    return web.Response(status=204)


async def reconnect(request: web.Request) -> web.Response:
    """Has a participant come back at once, on another path."""
    holder = _operator(request)
    parts = services(request)
    participant = ParticipantId(request.match_info["participant"])
    with _acting(request, holder, "reconnect"):
        await body.read_json(request, parts.limits, Nothing)
        parts.server.actions.reconnect(RoomId(request.match_info["room"]), participant)
    return web.Response(status=204)


async def drain(request: web.Request) -> web.Response:
    """Ends the server, once everybody was told to move; refused while a surgery is live."""
    holder = _operator(request)
    parts = services(request)
    with _acting(request, holder, "drain") as details:
        wish = await body.read_json(request, parts.limits, Drain)
        reason = wish.override.strip()
        if live := parts.operations.board().live_surgeries:
            details["live_surgeries"] = live
            if len(reason) < MIN_REASON_CHARACTERS:
                raise LiveSurgeries(f"{live} {'surgery' if live == 1 else 'surgeries'} live: restart refused")
            details.update(_sealed(parts, holder, reason))
    parts.stop()
    return web.Response(status=204)


_RIGHTS = "the right `inspect` for this room"

ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path=f"{_PUBLICATION}/keyframe",
        handler=keyframe,
        summary="Asks a source for a key frame.",
        request=Nothing,
        response=None,
        rights=_RIGHTS,
        problems=(401, 403, 404),
    ),
    Route(
        method="PUT",
        path=f"{_PUBLICATION}/muted",
        handler=mute,
        summary="Stops or resumes forwarding a source.",
        request=Muted,
        response=None,
        rights=_RIGHTS,
        problems=(401, 403, 404),
    ),
    Route(
        method="PUT",
        path=f"{_PUBLICATION}/top-layer",
        handler=top_layer,
        summary="Limits the highest layer that anybody gets of a source.",
        request=TopLayer,
        response=None,
        rights=_RIGHTS,
        problems=(401, 403, 404),
    ),
    Route(
        method="POST",
        path=f"{PREFIX}/rooms/{{room}}/participants/{{participant}}/reconnect",
        handler=reconnect,
        summary="Has a participant leave and come back at once.",
        request=Nothing,
        response=None,
        rights=_RIGHTS,
        problems=(401, 403, 404),
    ),
    Route(
        method="POST",
        path=f"{PREFIX}/drain",
        handler=drain,
        summary="Drains and ends the server; refused while a surgery is live, unless a reason is given.",
        request=Drain,
        response=None,
        rights="the right `inspect` for all rooms",
        problems=(401, 403, 409),
    ),
)


def routes() -> list[web.RouteDef]:
    """For the router."""
    return served(ROUTES)
