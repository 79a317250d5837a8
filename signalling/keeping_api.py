"""REST: how long recordings are kept: legal holds, what is due, and deletion by two people."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from mediaserver import errors
from mediaserver.ids import RecordingId, Redacted
from mediaserver.policy import Right
from mediaserver.store.deletions import Deletion, Person, UnknownDeletion
from mediaserver.store.objects import StorageFailed
from mediaserver.store.recordings import Hold, RecordingRow, UnknownRecording
from mediaserver.store.schema import now
from signalling import body
from signalling.auditing import actor
from signalling.auth import Bearer
from signalling.context import Services, bearer, services
from signalling.errors import MalformedMessage
from signalling.names import clean
from signalling.openapi import Route, json_response

MAX_REASON_CHARACTERS = 1000


class ReasonRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why."""

    reason: Annotated[str, Meta(min_length=1, max_length=MAX_REASON_CHARACTERS)]


class HoldEntry(Struct, frozen=True, kw_only=True):
    """Nothing of the recording may be deleted until it is lifted."""

    id: int
    reason: str
    placed_at: datetime
    lifted_at: datetime | None


class DeletionEntry(Struct, frozen=True, kw_only=True):
    """Asked for by one person, confirmed by another. ``certificate``: what was destroyed, signed."""

    id: int
    reason: str
    asked_at: datetime
    confirmed_at: datetime | None
    refused_at: datetime | None
    certificate: dict[str, Any] | None


class Keeping(Struct, frozen=True, kw_only=True):
    """How long a recording is kept, and what stands against or for its deletion."""

    recording: str
    retention_class: str
    retain_until: datetime
    deleted_at: datetime | None
    holds: list[HoldEntry]
    deletions: list[DeletionEntry]


class DueEntry(Struct, frozen=True, kw_only=True):
    """A recording whose time is over."""

    recording: str
    room: str
    started_at: datetime
    retention_class: str
    retain_until: datetime


class DueList(Struct, frozen=True, kw_only=True):
    """What two people may delete now, longest due first."""

    due: list[DueEntry]


def _person(holder: Bearer, remote: str | None) -> Person:
    """With no name unless an issuer vouches for it: two names that one person types are not two people."""
    claims = holder.claims
    return Person((*claims.inv, claims.jti)[0], Redacted(claims.vouched_name or ""), actor(holder, remote))


async def _find(request: web.Request, *rights: Right) -> tuple[RecordingRow, Bearer]:
    """Raises ``NotPermitted``; ``UnknownRecording`` alike for those of other rooms."""
    holder = bearer(request)
    if not holder.rights.intersection(rights):
        raise errors.NotPermitted
    row = await services(request).kept.recordings.get(RecordingId(request.match_info["recording"]))
    if not holder.may_see_room(row.room):
        raise UnknownRecording
    return row, holder


async def _reason(request: web.Request) -> str:
    wish = await body.read_json(request, services(request).limits, ReasonRequest)
    reason = clean(wish.reason, MAX_REASON_CHARACTERS)
    if not reason:
        raise MalformedMessage("needs a visible character", field="$.reason")
    return reason


def _number(request: web.Request, lacking: type[errors.LoupeError]) -> int:
    text = request.match_info["number"]
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise lacking
    return int(text)


async def _keeping(request: web.Request, id: RecordingId) -> web.Response:
    kept = services(request).kept
    row = await kept.recordings.get(id)
    return json_response(
        Keeping(
            recording=row.id,
            retention_class=row.retention_class,
            retain_until=row.retain_until,
            deleted_at=row.deleted_at,
            holds=[_hold(one) for one in await kept.recordings.holds(id)],
            deletions=[_deletion(one) for one in await kept.deletions.of(id)],
        )
    )


def _hold(one: Hold) -> HoldEntry:
    return HoldEntry(id=one.id, reason=one.reason.reveal(), placed_at=one.placed_at, lifted_at=one.lifted_at)


def _deletion(one: Deletion) -> DeletionEntry:
    return DeletionEntry(
        id=one.id,
        reason=one.reason.reveal(),
        asked_at=one.asked_at,
        confirmed_at=one.confirmed_at,
        refused_at=one.refused_at,
        certificate=None if one.certificate is None else msgspec.json.decode(one.certificate),
    )


async def show_keeping(request: web.Request) -> web.Response:
    """How long a recording is kept."""
    row, _ = await _find(request, Right.AUDIT, Right.DELETE)
    return await _keeping(request, row.id)


async def place_hold(request: web.Request) -> web.Response:
    """Keeps a recording whatever its time says."""
    row, holder = await _find(request, Right.AUDIT)
    reason = await _reason(request)
    await services(request).kept.recordings.hold(row.id, reason, actor(holder, request.remote))
    return await _keeping(request, row.id)


async def lift_hold(request: web.Request) -> web.Response:
    """Ends a legal hold."""
    row, holder = await _find(request, Right.AUDIT)
    number = _number(request, UnknownRecording)
    await services(request).kept.recordings.lift(row.id, number, actor(holder, request.remote))
    return await _keeping(request, row.id)


async def ask_deletion(request: web.Request) -> web.Response:
    """Asks for the deletion of a recording: somebody else confirms it."""
    row, holder = await _find(request, Right.DELETE)
    reason = await _reason(request)
    await services(request).kept.deletions.ask(row.id, reason, _person(holder, request.remote))
    return await _keeping(request, row.id)


async def confirm_deletion(request: web.Request) -> web.Response:
    """Destroys what somebody else asked to delete."""
    row, holder = await _find(request, Right.DELETE)
    number = _number(request, UnknownDeletion)
    parts = services(request)
    try:
        await parts.kept.deletions.confirm(row.id, number, _person(holder, request.remote))
    except StorageFailed:  # confirmed, and finished later
        await _drop_exports(parts, row.id)
        raise
    await _drop_exports(parts, row.id)
    return await _keeping(request, row.id)


async def _drop_exports(parts: Services, id: RecordingId) -> None:
    if parts.desk is not None:
        await parts.desk.jobs.drop(id)


async def refuse_deletion(request: web.Request) -> web.Response:
    """Keeps what somebody asked to delete."""
    row, holder = await _find(request, Right.DELETE)
    number = _number(request, UnknownDeletion)
    await services(request).kept.deletions.refuse(row.id, number, _person(holder, request.remote))
    return await _keeping(request, row.id)


async def list_due(request: web.Request) -> web.Response:
    """Recordings whose time is over and that no hold keeps."""
    holder = bearer(request)
    if not holder.rights & {Right.AUDIT, Right.DELETE}:
        raise errors.NotPermitted
    found = await services(request).kept.recordings.due(now())
    return json_response(
        DueList(
            due=[
                DueEntry(
                    recording=row.id,
                    room=row.room,
                    started_at=row.started_at,
                    retention_class=row.retention_class,
                    retain_until=row.retain_until,
                )
                for row in found
                if holder.may_see_room(row.room)
            ]
        )
    )


_ONE = "/api/v1/recordings/{recording}"
_PROBLEMS = (401, 403, 404, 409, 503)
_DELETE = "the right `delete` in this room, and a token whose issuer named its holder"


def _route(method: str, path: str, handler: Any, summary: str, rights: str, *, reason: bool = False) -> Route:
    return Route(
        method=method,
        path=f"{_ONE}/{path}",
        handler=handler,
        summary=summary,
        request=ReasonRequest if reason else None,
        response=Keeping,
        rights=rights,
        problems=_PROBLEMS,
    )


ROUTES: tuple[Route, ...] = (
    _route("GET", "keeping", show_keeping, "How long a recording is kept.", "the right `audit` or `delete`"),
    _route("POST", "holds", place_hold, "Places a legal hold.", "the right `audit`", reason=True),
    _route("DELETE", "holds/{number}", lift_hold, "Lifts a legal hold.", "the right `audit`"),
    _route("POST", "deletions", ask_deletion, "Asks for a deletion.", _DELETE, reason=True),
    _route(
        "POST",
        "deletions/{number}/confirmation",
        confirm_deletion,
        "Destroys what another person asked to delete.",
        _DELETE,
    ),
    _route("POST", "deletions/{number}/refusal", refuse_deletion, "Keeps what was to be deleted.", _DELETE),
    Route(
        method="GET",
        path="/api/v1/due",
        handler=list_due,
        summary="Recordings whose time is over and that no hold keeps.",
        response=DueList,
        rights="the right `audit` or `delete`",
        problems=(401, 403, 503),
    ),
)
