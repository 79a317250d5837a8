"""Who asks, in the audit's words; and what was refused to them."""

from __future__ import annotations

import ipaddress
import time

from aiohttp import web

from mediaserver.audit import Actor, AddressClass, Event
from mediaserver.errors import LoupeError, NotPermitted
from mediaserver.ids import Redacted
from mediaserver.participant import Participant
from signalling.auth import Bearer
from signalling.context import Services, bearer_text, services
from signalling.errors import TokenUsed, Unauthorized
from signalling.readings import READINGS
from signalling.tokens import is_room_name


def address_class(remote: str | None) -> AddressClass | None:
    """Where an address lies; the address itself is kept nowhere."""
    try:
        address = ipaddress.ip_address(remote or "")
    except ValueError:
        return None
    if address.is_loopback:
        return "loopback"
    return "public" if address.is_global else "private"


def actor(holder: Bearer, remote: str | None) -> Actor:
    """The holder of a token. The name is what the token says, not what its holder calls themselves."""
    name = holder.claims.name
    return Actor(
        id=holder.claims.sub,
        role=holder.role,
        name=None if name is None else Redacted(name),
        address_class=address_class(remote),
    )


def denied_request(request: web.Request, error: LoupeError) -> None:
    """A request over HTTP that the asker's rights do not cover; strangers without a token leave no record,
    and who asks the same again and again one in ten minutes."""
    if not isinstance(error, NotPermitted | TokenUsed):
        return
    parts = services(request)
    try:
        holder = parts.authenticator.check_any(bearer_text(request))
    except Unauthorized:
        return
    resource = request.match_info.route.resource
    route = resource.canonical if resource else None
    asked = request.match_info.get("room") or request.query.get("room") or ""
    room = asked if is_room_name(asked) else holder.claims.room
    refusal = (holder.claims.sub, room, f"{request.method} {route}", error.code)
    if not request.config_dict[READINGS].is_news(refusal, time.monotonic()):
        return
    parts.audit.append(
        Event.ACCESS_DENY,
        actor=actor(holder, request.remote),
        room=room,
        outcome="denied",
        details={"method": request.method, "route": route, "code": error.code},
    )


def denied_join(parts: Services, holder: Bearer, remote: str | None, error: LoupeError) -> None:
    """Somebody with a token was not let in."""
    parts.audit.append(
        Event.PARTICIPANT_DENY,
        actor=actor(holder, remote),
        room=holder.claims.room,
        outcome="denied",
        details={"code": error.code},
    )


def denied_message(parts: Services, participant: Participant, kind: str, error: LoupeError) -> None:
    """A participant asked for what their rights do not cover."""
    if isinstance(error, NotPermitted):
        parts.audit.append(
            Event.ACCESS_DENY,
            actor=Actor(id=participant.id, role=participant.role, name=participant.name),
            room=participant.room,
            outcome="denied",
            details={"message": kind, "code": error.code},
        )
