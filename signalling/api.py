"""REST: rooms, participants, tokens. One table of routes makes the router and ``/api/openapi.json``."""

from __future__ import annotations

import contextlib
from typing import Annotated, Literal

from aiohttp import web
from msgspec import Meta, Struct

from mediaserver import __version__, errors, events
from mediaserver.audit import Event
from mediaserver.clinical import ClinicalClass
from mediaserver.ids import ParticipantId, RoomId
from mediaserver.policy import Right, Role
from mediaserver.room import Room
from signalling import (
    audit_api,
    body,
    export_api,
    keeping_api,
    messages,
    openapi,
    operations,
    operator_actions,
    precall_api,
    procedures_api,
    reception_api,
    recording,
    review_api,
    tokens,
    translate,
)
from signalling.auditing import actor
from signalling.auth import Bearer, descent, may_invite
from signalling.context import bearer, bearer_text, services
from signalling.errors import MalformedMessage, Unauthorized
from signalling.names import clean
from signalling.openapi import Route, json_response, served
from signalling.tokens import Audience, is_room_name

PAGE_OF_ROLE = {
    Role.SURGEON: "theatre",
    Role.STAFF: "theatre",
    Role.SPECIALIST: "consult",
    Role.MODERATOR: "consult",
    Role.OBSERVER: "observe",
}


class RoomSummary(Struct, frozen=True, kw_only=True):
    """A room in the list."""

    id: str
    participants: int
    publications: int


class RoomList(Struct, frozen=True, kw_only=True):
    """All rooms that the token may see."""

    rooms: list[RoomSummary]


class ParticipantList(Struct, frozen=True, kw_only=True):
    """Everybody in a room."""

    participants: list[messages.ParticipantInfo]


class JoinRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The holder's name, when the invitation names nobody."""

    name: messages.Name = ""


class JoinToken(Struct, frozen=True, kw_only=True):
    """A join token and what it opens."""

    token: str
    room: str
    role: Role
    expires_at: int
    """Unix seconds."""


class TokenRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What kind of token for whom."""

    room: Annotated[str, Meta(pattern=tokens.ROOM_PATTERN)]
    role: Role
    kind: Literal["join", "invitation"] = "invitation"
    name: messages.Name = ""
    rights: list[Right] | None = None
    lifetime_seconds: Annotated[int, Meta(ge=10, le=tokens.MAX_LIFETIME_SECONDS)] | None = None
    """Absent: ten minutes for a join token, twelve hours for an invitation."""
    clinical_class: ClinicalClass | None = None
    """Absent: the inviter's."""


class IssuedToken(Struct, frozen=True, kw_only=True):
    """A token, and the page it is for. Put it behind ``#``, never behind ``?``."""

    token: str
    kind: Literal["join", "invitation"]
    page: str
    expires_at: int


class RevokeRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The token or invitation that shall hold no more."""

    token: Annotated[str, Meta(min_length=1, max_length=tokens.MAX_TOKEN_CHARACTERS)]


def _require(holder: Bearer, room: str, *rights: Right) -> None:
    """One of these rights, for this room.

    Raises ``NotPermitted`` alike for rooms that stand and that do not.
    """
    if not holder.may_see_room(room) or not holder.rights.intersection(rights):
        raise errors.NotPermitted


def _room(request: web.Request, *rights: Right) -> Room:
    name = request.match_info["room"]
    _require(bearer(request), name, *rights)
    room = services(request).server.rooms.get(RoomId(name))
    if room is None:
        raise errors.UnknownRoom
    return room


async def list_rooms(request: web.Request) -> web.Response:
    """Rooms that stand."""
    holder = bearer(request)
    if Right.INSPECT not in holder.rights:
        raise errors.NotPermitted
    found = [
        _summary(room.info())
        for name, room in services(request).server.rooms.items()
        if holder.may_see_room(name)
    ]
    return json_response(RoomList(rooms=sorted(found, key=lambda room: room.id)))


def _summary(info: events.RoomInfo) -> RoomSummary:
    return RoomSummary(id=info.id, participants=len(info.participants), publications=len(info.publications))


async def show_room(request: web.Request) -> web.Response:
    """One room with its participants and publications."""
    return json_response(translate.room(_room(request, Right.INSPECT, Right.MODERATE).info()))


async def close_room(request: web.Request) -> web.Response:
    """Ends the session of everyone in a room."""
    room = _room(request, Right.INSPECT, Right.MODERATE)
    await operator_actions.interlock(request, "close_room", room, room.members)
    services(request).server.actions.close_room(room.id, bearer(request).claims.sub)
    return web.Response(status=204)


async def list_participants(request: web.Request) -> web.Response:
    """Who is in a room."""
    info = _room(request, Right.INSPECT, Right.MODERATE).info()
    return json_response(
        ParticipantList(participants=[translate.participant(one) for one in info.participants])
    )


async def remove_participant(request: web.Request) -> web.Response:
    """Ends a participant's session; the room is told."""
    room = _room(request, Right.INSPECT, Right.MODERATE)
    participant = ParticipantId(request.match_info["participant"])
    await operator_actions.interlock(request, "remove", room, [participant])
    services(request).server.expel(room.id, participant, bearer(request).claims.sub)
    return web.Response(status=204)


async def join(request: web.Request) -> web.Response:
    """Exchanges an invitation for a join token."""
    parts = services(request)
    invitation = bearer_text(request)
    invited = parts.authenticator.check(invitation, Audience.INVITE)
    if Right.REVIEW not in invited.rights:  # who may study recordings needs a token for that, too
        parts.server.audience.check(RoomId(invited.claims.room), invited.role, invited.claims.clinical)
    wish = await body.read_json(request, parts.limits, JoinRequest)
    token, claims = parts.authenticator.exchange(
        invitation,
        clean(wish.name, messages.MAX_NAME_CHARACTERS),
        parts.server.audience.serves(RoomId(invited.claims.room)),
    )
    return json_response(JoinToken(token=token, room=claims.room, role=claims.role, expires_at=claims.exp))


def _page(wish: TokenRequest) -> str:
    """Operators look at all rooms on one page, which is no room's."""
    page = PAGE_OF_ROLE.get(wish.role)
    return "/operations" if page is None else f"/{page}/{wish.room}"


async def issue_token(request: web.Request) -> web.Response:
    """Makes an invitation or a join token for one's own room, for a role not above one's own."""
    parts = services(request)
    holder = bearer(request)
    wish = await body.read_json(request, parts.limits, TokenRequest)
    if not is_room_name(wish.room):
        raise MalformedMessage("not a room's name", field="$.room")
    if not may_invite(holder, wish.room, wish.role):
        raise errors.NotPermitted
    clinical = wish.clinical_class or holder.claims.clinical
    parts.server.audience.check(RoomId(wish.room), wish.role, clinical)
    audience = Audience.JOIN if wish.kind == "join" else Audience.INVITE
    usual = tokens.JOIN_LIFETIME_SECONDS if wish.kind == "join" else tokens.INVITATION_LIFETIME_SECONDS
    lifetime = wish.lifetime_seconds or usual
    if wish.kind == "join" and lifetime > tokens.JOIN_LIFETIME_SECONDS:
        raise MalformedMessage("a join token lives ten minutes at most", field="$.lifetime_seconds")
    token, claims = parts.authenticator.issue(
        tokens.new_claims(
            audience=audience,
            room=wish.room,
            role=wish.role,
            now_seconds=parts.authenticator.now_seconds(),
            lifetime_seconds=lifetime,
            name=clean(wish.name, messages.MAX_NAME_CHARACTERS),
            self_named=holder.claims.vouched_name is None,
            rights=None if wish.rights is None else frozenset(wish.rights),
            ancestors=descent(holder),
            clinical=clinical,
            procedure=parts.server.audience.serves(RoomId(wish.room)) or holder.claims.procedure,
        )
    )
    parts.audit.append(
        Event.ROLE_CHANGE,
        actor=actor(holder, request.remote),
        room=wish.room,
        subject=claims.jti,
        details={"made": wish.kind, "role": wish.role.value},
    )
    return json_response(
        IssuedToken(
            token=token,
            kind=wish.kind,
            page=_page(wish),
            expires_at=claims.exp,
        )
    )


async def revoke_token(request: web.Request) -> web.Response:
    """Withdraws a token or invitation, and all that came of it, at once; removes whoever came in by them."""
    parts = services(request)
    holder = bearer(request)
    wish = await body.read_json(request, parts.limits, RevokeRequest)
    try:
        claims = parts.authenticator.check_signed(wish.token)
    except Unauthorized:
        raise MalformedMessage("no token of this server", field="$.token") from None
    _require(holder, claims.room, Right.INSPECT, Right.MODERATE)
    parts.authenticator.revoke(claims)
    parts.audit.append(
        Event.ROLE_CHANGE,
        actor=actor(holder, request.remote),
        room=claims.room,
        subject=claims.jti,
        details={"withdrawn": claims.aud.value, "role": claims.role.value},
    )
    for session in parts.sessions.of_token(claims.jti):
        with contextlib.suppress(errors.UnknownParticipant):  # it may have ended by itself, as those below
            parts.server.expel(session.participant.room, session.participant.id)
    for session_id in parts.holders.of_token(claims.jti):
        with contextlib.suppress(errors.UnknownParticipant):
            parts.server.end(parts.server.http_session(session_id))
        parts.holders.drop(session_id)
    return web.Response(status=204)


async def describe(_: web.Request) -> web.Response:
    """This description."""
    return web.json_response(
        openapi.document((*ROUTES, *operations.ROUTES, *operator_actions.ROUTES), __version__)
    )


_MODERATE = "the right `moderate` in this room, or `inspect`"

ROUTES: tuple[Route, ...] = (
    *procedures_api.ROUTES,
    *audit_api.ROUTES,
    *keeping_api.ROUTES,
    Route(
        method="GET",
        path="/api/v1/rooms",
        handler=list_rooms,
        summary="Rooms that stand.",
        response=RoomList,
        rights="the right `inspect`",
    ),
    Route(
        method="GET",
        path="/api/v1/rooms/{room}",
        handler=show_room,
        summary="One room with its participants and publications.",
        response=messages.RoomInfo,
        rights=_MODERATE,
        problems=(401, 403, 404),
    ),
    Route(
        method="DELETE",
        path="/api/v1/rooms/{room}",
        handler=close_room,
        summary="Ends the session of everyone in a room; operators end a surgery only with a reason.",
        request=operator_actions.Interruption,
        response=None,
        rights=_MODERATE,
        problems=(401, 403, 404, 409),
    ),
    Route(
        method="GET",
        path="/api/v1/rooms/{room}/participants",
        handler=list_participants,
        summary="Who is in a room.",
        response=ParticipantList,
        rights=_MODERATE,
        problems=(401, 403, 404),
    ),
    Route(
        method="DELETE",
        path="/api/v1/rooms/{room}/participants/{participant}",
        handler=remove_participant,
        summary="Removes a participant; operators take nobody out of a surgery without a reason.",
        request=operator_actions.Interruption,
        response=None,
        rights=_MODERATE,
        problems=(401, 403, 404, 409),
    ),
    Route(
        method="POST",
        path="/api/v1/join",
        handler=join,
        summary="Exchanges an invitation (as bearer) for a join token.",
        request=JoinRequest,
        response=JoinToken,
        bearer="an invitation",
        problems=(401, 403),
    ),
    Route(
        method="POST",
        path="/api/v1/tokens",
        handler=issue_token,
        summary="Makes an invitation or a join token.",
        request=TokenRequest,
        response=IssuedToken,
        rights="the right `moderate` in this room (roles up to the own), or `inspect` (operators)",
    ),
    Route(
        method="POST",
        path="/api/v1/revocations",
        handler=revoke_token,
        summary="Withdraws a token or invitation with all that came of it; removes whoever came in by them.",
        request=RevokeRequest,
        response=None,
        rights=_MODERATE,
        problems=(401, 403, 429),
    ),
    *review_api.ROUTES,
    *reception_api.ROUTES,
    *export_api.ROUTES,
    *recording.ROUTES,
    *precall_api.ROUTES,
)


def routes() -> list[web.RouteDef]:
    """For the router."""
    return [
        web.get("/api/openapi.json", describe),
        *served(ROUTES),
    ]
