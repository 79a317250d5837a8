"""``/api/v1/operations``, what changes something or shows a picture: key frame, mute, top layer, thumbnail,
reconnect, drain.

Every path needs the right ``inspect``; every action is audited, done, refused, malformed or in vain.
A picture is shown only where the settings allow it. What interrupts a live surgery or emergency needs a
reason, which is audited.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Iterator
from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct

from mediaserver import errors
from mediaserver.audit import Details, Event
from mediaserver.ids import ParticipantId, PublicationId, RoomId
from mediaserver.operations.interlock import interrupts, live_surgeries
from mediaserver.policy import Right, Role
from mediaserver.room import Room
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
TAKEN_AT = "Loupe-Taken-At"
"""A header of a picture: Unix milliseconds."""
MIN_REASON_CHARACTERS = 10
MAX_ID_CHARACTERS = 64
"""Of a name in a path that the audit keeps: one that somebody made up may be longer."""


Override = Annotated[str, Meta(max_length=500)]


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """An empty object."""


class Interruption(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``override`` is the reason for which a surgery is interrupted; the audit keeps it where there is a
    master key to seal it with, else that one was given."""

    override: Override = ""


class Muted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether the source is forwarded to nobody."""

    muted: bool
    override: Override = ""
    """As of ``Interruption``."""


class TopLayer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The highest layer that anybody gets, lowest 0; null: no limit."""

    layer: Annotated[int, Meta(ge=0, le=3)] | None


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
        outcome = "denied" if isinstance(error, LiveSurgeries | errors.NotPermitted) else "failed"
        _note(request, holder, action, {**details, "code": error.code}, outcome=outcome)
        raise
    _note(request, holder, action, details)


def _sealed(parts: Services, holder: Bearer, reason: str) -> dict[str, object]:
    """A reason may say whom it is about: the audit keeps it sealed, or only that one was given."""
    vault = None if parts.store is None else parts.store.vault
    if vault is None:
        return {"reason_kept": False}
    return {"sealed_reason": vault.seal_field(reason, reason_place(holder.claims.sub)).hex()}


def _reason(parts: Services, holder: Bearer, override: str, refusal: str) -> dict[str, object]:
    """What the audit keeps of it. Raises ``LiveSurgeries`` where none worth the name is given."""
    reason = override.strip()
    if len(reason) < MIN_REASON_CHARACTERS:
        raise LiveSurgeries(refusal)
    return _sealed(parts, holder, reason)


def _interlock(
    parts: Services, holder: Bearer, room: Room, people: Collection[ParticipantId], override: str
) -> dict[str, object]:
    """Lets these people be interrupted, and what to audit of it. Raises ``LiveSurgeries``."""
    if not interrupts(room, people):
        return {}
    return _reason(parts, holder, override, "a surgery or emergency is live here: this needs a reason")


async def interlock(request: web.Request, action: str, room: Room, people: Collection[ParticipantId]) -> None:
    """Before an operator does what a room's moderators may do, too: those know why, and are not asked.

    Raises ``LiveSurgeries``, and what ``body.read_json`` raises.
    """
    holder = bearer(request)
    parts = services(request)
    if Right.MODERATE in holder.rights or not interrupts(room, people):
        return
    with _acting(request, holder, action) as details:
        wish = Interruption()
        if request.body_exists:
            wish = await body.read_json(request, parts.limits, Interruption)
        details.update(_interlock(parts, holder, room, people, wish.override))


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
        room, publication = _source(request)
        if wish.muted:
            found = parts.server.registry.room(room)
            publisher = found.publication(publication).participant
            details.update(_interlock(parts, holder, found, [publisher], wish.override))
        parts.server.actions.mute(room, publication, wish.muted)
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


async def thumbnail(request: web.Request) -> web.Response:
    """One small picture of a source, as it is now."""
    holder = _operator(request)
    parts = services(request)
    with _acting(request, holder, "thumbnail"):
        await body.read_json(request, parts.limits, Nothing)
        probe = parts.operations.probe
        if probe is None or not parts.settings.watch.thumbnails:
            raise errors.ThumbnailsOff
        room, publication = _source(request)
        source = parts.server.registry.room(room).publication(publication)
        # An operator treats nobody: whoever looks is from outside, as an observer is.
        parts.server.audience.check(room, Role.OBSERVER, None)
        made = await probe.thumbnail(source.id)
    headers = {"Cache-Control": "no-store", TAKEN_AT: str(time.time_ns() // 1_000_000)}
    return web.Response(body=made, content_type="image/jpeg", headers=headers)


async def reconnect(request: web.Request) -> web.Response:
    """Has a participant come back at once, on another path."""
    holder = _operator(request)
    parts = services(request)
    participant = ParticipantId(request.match_info["participant"])
    room = RoomId(request.match_info["room"])
    with _acting(request, holder, "reconnect") as details:
        wish = await body.read_json(request, parts.limits, Interruption)
        if (found := parts.server.rooms.get(room)) is not None:
            details.update(_interlock(parts, holder, found, [participant], wish.override))
        parts.server.actions.reconnect(room, participant)
    return web.Response(status=204)


async def drain(request: web.Request) -> web.Response:
    """Ends the server, once everybody was told to move; refused while a surgery is live."""
    holder = _operator(request)
    parts = services(request)
    with _acting(request, holder, "drain") as details:
        wish = await body.read_json(request, parts.limits, Interruption)
        # By the rooms themselves: what was sampled of them may be old.
        if live := live_surgeries(parts.server.rooms.values()):
            details["live_surgeries"] = live
            refusal = f"{live} {'surgery' if live == 1 else 'surgeries'} live: restart refused"
            details.update(_reason(parts, holder, wish.override, refusal))
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
        summary="Stops or resumes forwarding a source; in a surgery it is stopped only with a reason.",
        request=Muted,
        response=None,
        rights=_RIGHTS,
        problems=(401, 403, 404, 409),
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
        path=f"{_PUBLICATION}/thumbnail",
        handler=thumbnail,
        summary="Takes one small picture of a source, where the settings allow it; nobody keeps it.",
        request=Nothing,
        response=None,
        binary="image/jpeg",
        rights=_RIGHTS,
        problems=(401, 403, 404, 409, 429, 504),
    ),
    Route(
        method="POST",
        path=f"{PREFIX}/rooms/{{room}}/participants/{{participant}}/reconnect",
        handler=reconnect,
        summary="Has a participant leave and come back at once; in a surgery only with a reason.",
        request=Interruption,
        response=None,
        rights=_RIGHTS,
        problems=(401, 403, 404, 409),
    ),
    Route(
        method="POST",
        path=f"{PREFIX}/drain",
        handler=drain,
        summary="Drains and ends the server; refused while a surgery is live, unless a reason is given.",
        request=Interruption,
        response=None,
        rights="the right `inspect` for all rooms",
        problems=(401, 403, 409),
    ),
)


def routes() -> list[web.RouteDef]:
    """For the router."""
    return served(ROUTES)
