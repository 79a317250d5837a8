"""REST: the audit, for auditors."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aiohttp import web
from msgspec import Struct

from mediaserver import errors
from mediaserver.audit import Event
from mediaserver.policy import Right
from mediaserver.store.audit import Record, find
from mediaserver.store.audit_verification import verify
from mediaserver.store.store import Store
from signalling import tokens
from signalling.auditing import actor
from signalling.context import bearer, services
from signalling.errors import MalformedMessage
from signalling.openapi import Route, json_response

MAX_LIMIT = 1000
USUAL_LIMIT = 200


class AuditEntry(Struct, frozen=True, kw_only=True):
    """One record. The actor's name is what their token said; the hash covers the record before it."""

    seq: int
    time: datetime
    event: str
    outcome: str
    actor: str
    actor_name: str | None
    role: str | None
    address_class: str | None
    room: str | None
    procedure: str | None
    subject: str | None
    details: dict[str, Any]
    hash: str


class AuditPage(Struct, frozen=True, kw_only=True):
    """Records in order; ask again with ``after`` = ``next``, until that is null."""

    records: list[AuditEntry]
    next: int | None


class AuditState(Struct, frozen=True, kw_only=True):
    """Whether the chain is whole."""

    intact: bool
    records: int
    checkpoints: int
    unsigned: int
    signatures_checked: bool
    problem: str | None
    first_seq: int | None


def _number(request: web.Request, name: str, usual: int, limit: int) -> int:
    text = request.query.get(name, str(usual))
    if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text) <= limit):
        raise MalformedMessage(f"a whole number up to {limit}", field=f"$.{name}")
    return int(text)


async def read_audit(request: web.Request) -> web.Response:
    """A page of the audit; reading it is audited too."""
    parts, holder = services(request), bearer(request)
    if Right.AUDIT not in holder.rights:
        raise errors.NotPermitted
    own = holder.claims.room
    room = request.query.get("room") or (None if own == tokens.ANY_ROOM else own)
    if room is not None and not holder.may_see_room(room):
        raise errors.NotPermitted
    after = _number(request, "after", 0, 2**53)
    limit = _number(request, "limit", USUAL_LIMIT, MAX_LIMIT)
    procedure = request.query.get("procedure")
    store = parts.kept
    rooms = None if room is None else store.audit.rooms.held(room)
    found = await store.database.read(
        lambda connection: find(connection, after=after, limit=limit, room=rooms, procedure=procedure)
    )
    store.audit.append(
        Event.AUDIT_READ, actor=actor(holder, request.remote), room=room, details={"action": "audit"}
    )
    more = found[-1].seq if limit and len(found) == limit else None
    entries = [_entry(record, store) for record in found]
    return json_response(AuditPage(records=entries, next=more))


async def verify_audit(request: web.Request) -> web.Response:
    """Walks the whole chain."""
    if Right.AUDIT not in bearer(request).rights:
        raise errors.NotPermitted
    store = services(request).kept
    found = await store.database.read_at_length(lambda connection: verify(connection, store.vault))
    return json_response(
        AuditState(
            intact=found.intact,
            records=found.records,
            checkpoints=found.checkpoints,
            unsigned=found.unsigned,
            signatures_checked=found.signatures_checked,
            problem=found.problem,
            first_seq=found.first_seq,
        )
    )


def _entry(record: Record, store: Store) -> AuditEntry:
    return AuditEntry(
        seq=record.seq,
        time=record.time,
        event=record.event,
        outcome=record.outcome,
        actor=record.actor,
        actor_name=None if store.vault is None else record.actor_name(store.vault),
        role=record.role,
        address_class=record.address_class,
        room=record.room_name(store.audit.rooms),
        procedure=record.procedure,
        subject=record.subject,
        details=record.opened_details(store.vault),
        hash=record.hash.hex(),
    )


_ID = {"type": "string", "maxLength": 64}

ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/api/v1/audit",
        handler=read_audit,
        summary="The audit, page by page.",
        response=AuditPage,
        query={
            "after": {"type": "integer", "minimum": 0},
            "limit": {"type": "integer", "minimum": 0, "maximum": MAX_LIMIT},
            "room": _ID,
            "procedure": _ID,
        },
        rights="the right `audit`",
        problems=(400, 401, 403, 503),
    ),
    Route(
        method="GET",
        path="/api/v1/audit/verification",
        handler=verify_audit,
        summary="Whether the audit's chain is whole.",
        response=AuditState,
        rights="the right `audit`",
        problems=(401, 403, 503),
    ),
)
