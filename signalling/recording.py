"""REST: a room's recording, started, stopped and asked for."""

from __future__ import annotations

from typing import Literal

import msgspec
from aiohttp import web
from msgspec import Struct

from mediaserver import errors
from mediaserver.audit import Actor, Event
from mediaserver.events import RecordingChanged
from mediaserver.ids import ProcedureId, RoomId
from mediaserver.policy import Right
from mediaserver.server import Server
from signalling import body, messages
from signalling.auditing import actor
from signalling.auth import Bearer
from signalling.context import bearer, services
from signalling.dispatch import recordings
from signalling.errors import MalformedMessage
from signalling.openapi import Route


class RecordingRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shall happen; to start, for which procedure."""

    action: Literal["start", "stop"]
    procedure: messages.Id | None = None


class RecordingInfo(Struct, frozen=True, kw_only=True):
    """Whether a room is being recorded."""

    state: Literal["idle", "recording", "sealed", "withdrawn"]
    recording: str | None = None
    since_ms: int | None = None
    """Unix time in milliseconds."""


def _holder(request: web.Request, *rights: Right) -> tuple[Bearer, RoomId]:
    """Alike for rooms that stand and that do not. Raises ``NotPermitted``."""
    holder, name = bearer(request), request.match_info["room"]
    if not holder.may_see_room(name) or not holder.rights.intersection(rights):
        raise errors.NotPermitted
    return holder, RoomId(name)


def _told(changed: RecordingChanged | None) -> web.Response:
    if changed is None:
        found = RecordingInfo(state="idle")
    else:
        found = RecordingInfo(state=changed.state, recording=changed.recording, since_ms=changed.since_ms)
    return web.Response(
        body=msgspec.json.encode(found),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


async def show(request: web.Request) -> web.Response:
    """What is being recorded in a room."""
    _, room = _holder(request, Right.RECORD, Right.MODERATE, Right.INSPECT)
    return _told(recordings(services(request).server).of(room))


async def change(request: web.Request) -> web.Response:
    """Starts or stops a room's recording."""
    parts = services(request)
    holder, name = _holder(request, Right.RECORD)
    wish = await body.read_json(request, parts.limits, RecordingRequest)
    try:
        return _told(await _change(parts.server, holder, name, wish))
    except errors.NotPermitted:
        raise  # audited as every refused request is, and by the recordings themselves
    except errors.LoupeError as error:
        parts.audit.append(
            Event.RECORDING_START if wish.action == "start" else Event.RECORDING_STOP,
            actor=actor(holder, request.remote),
            room=name,
            procedure=wish.procedure,
            outcome="denied",
            details={"code": error.code},
        )
        raise


async def _change(
    server: Server, holder: Bearer, name: RoomId, wish: RecordingRequest
) -> RecordingChanged | None:
    taking = recordings(server)
    by = Actor(id=holder.claims.sub, role=holder.role)
    if wish.action == "stop":
        return taking.stop(name, actor=by)
    if wish.procedure is None:
        raise MalformedMessage("a recording belongs to a procedure", field="$.procedure")
    room = server.rooms.get(name)
    if room is None:
        raise errors.UnknownRoom
    return await taking.start(room, ProcedureId(wish.procedure), actor=by)


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/api/v1/rooms/{room}/recording",
        handler=show,
        summary="Whether a room is being recorded.",
        response=RecordingInfo,
        rights="the right `record` or `moderate` in this room, or `inspect`",
        problems=(401, 403),
    ),
    Route(
        method="POST",
        path="/api/v1/rooms/{room}/recording",
        handler=change,
        summary="Starts or stops a room's recording; to start, the procedure needs a consent to recording.",
        request=RecordingRequest,
        response=RecordingInfo,
        rights="the right `record` in this room",
        problems=(401, 403, 404, 409),
    ),
)
