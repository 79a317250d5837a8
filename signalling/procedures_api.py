"""REST: procedures and what was consented to in them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct

from mediaserver import errors
from mediaserver.config import RetentionClass
from mediaserver.ids import ProcedureId, Redacted, RoomId
from mediaserver.policy import Right, Role
from mediaserver.store.consents import (
    MAX_REASON_CHARACTERS,
    BrokenGlass,
    Consent,
    Decision,
    Form,
    Purpose,
    Relation,
    Standing,
)
from mediaserver.store.procedures import (
    MAX_NAME_CHARACTERS,
    MAX_REFERENCE_CHARACTERS,
    MAX_STAFF,
    MAX_TITLE_CHARACTERS,
    Procedure,
    StaffMember,
    UnknownProcedure,
)
from mediaserver.store.schema import now
from mediaserver.vault import NoMasterKey
from signalling import body, tokens
from signalling.auditing import actor
from signalling.auth import Bearer
from signalling.context import bearer, services
from signalling.errors import MalformedMessage
from signalling.names import clean
from signalling.openapi import Route, json_response
from signalling.tokens import is_room_name

_Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME_CHARACTERS)]
_Reason = Annotated[str, Meta(min_length=1, max_length=MAX_REASON_CHARACTERS)]
_Moment = Annotated[datetime, Meta(tz=True)]


class StaffEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody of the team."""

    role: Role
    name: _Name


class ProcedureRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which patient a room serves from now on."""

    room: Annotated[str, Meta(pattern=tokens.ROOM_PATTERN)]
    reference: Annotated[str, Meta(min_length=1, max_length=MAX_REFERENCE_CHARACTERS)]
    """Pseudonymous: never the patient's name."""
    title: Annotated[str, Meta(max_length=MAX_TITLE_CHARACTERS)] = ""
    staff: Annotated[list[StaffEntry], Meta(max_length=MAX_STAFF)] = []
    retention_class: RetentionClass = "clinical"
    """How long what is recorded of it is kept."""


class PurposeState(Struct, frozen=True, kw_only=True):
    """What holds for one purpose now."""

    purpose: Purpose
    permitted: bool
    decision: Decision | None
    """The newest; null: nobody decided yet."""
    decided_at: datetime | None
    by_break_glass: bool


class ProcedureState(Struct, frozen=True, kw_only=True):
    """A procedure and what is permitted in it."""

    id: str
    room: str
    reference: str
    title: str
    staff: list[StaffEntry]
    retention_class: str
    opened_at: datetime
    confirmed_at: datetime | None
    closed_at: datetime | None
    purposes: list[PurposeState]


class ProcedureList(Struct, frozen=True, kw_only=True):
    """Newest first; the room's present one is the one that is not closed."""

    procedures: list[ProcedureState]
    unavailable: str | None = None
    """The code of what keeps this server from having procedures at all; null: nothing does."""


class ConsentRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who decided what, how, when, over which text."""

    purpose: Purpose
    decision: Decision
    by: _Name
    relation: Relation
    form: Form
    text_version: Annotated[str, Meta(min_length=1, max_length=32)]
    language: Annotated[str, Meta(pattern="^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$")]
    decided_at: _Moment | None = None
    """Absent: now."""


class ConsentEntry(Struct, frozen=True, kw_only=True):
    """A decision as it was taken down."""

    purpose: Purpose
    decision: Decision
    by: str
    relation: str
    form: str
    text_version: str
    language: str
    decided_at: datetime
    recorded_at: datetime | None
    recorded_by: str


class ConsentRegister(Struct, frozen=True, kw_only=True):
    """What holds now, and every decision, oldest first."""

    purposes: list[PurposeState]
    history: list[ConsentEntry]


class BreakGlassRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Serves a purpose of a patient who cannot be asked."""

    purpose: Purpose
    reason: _Reason


class ReviewRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the review found."""

    finding: _Reason


class BreakGlassEntry(Struct, frozen=True, kw_only=True):
    """One use of break-glass."""

    id: int
    procedure: str
    purpose: Purpose
    reason: str
    broken_at: datetime
    broken_by: str
    reviewed_at: datetime | None
    finding: str | None


class BreakGlassList(Struct, frozen=True, kw_only=True):
    """Those that wait for their review, oldest first."""

    waiting: list[BreakGlassEntry]


def _require(holder: Bearer, room: str, *rights: Right) -> None:
    """One of these rights, for this room. Raises ``NotPermitted``."""
    if not holder.may_see_room(room) or not holder.rights.intersection(rights):
        raise errors.NotPermitted


async def _find(request: web.Request, *rights: Right) -> tuple[Procedure, Bearer]:
    """Raises ``NotPermitted``; ``UnknownProcedure`` alike for those of other rooms."""
    holder = bearer(request)
    if not holder.rights.intersection(rights):
        raise errors.NotPermitted
    procedures = services(request).kept.procedures
    procedure = await procedures.get(ProcedureId(request.match_info["procedure"]))
    if not holder.may_see_room(procedure.room):
        raise UnknownProcedure
    return procedure, holder


def _cleaned(text: str, limit: int, field: str) -> str:
    shown = clean(text, limit)
    if not shown:
        raise MalformedMessage("needs a visible character", field=field)
    return shown


async def _state(request: web.Request, procedure: Procedure) -> ProcedureState:
    standing = await services(request).kept.consents.standing(procedure.id)
    return ProcedureState(
        id=procedure.id,
        room=procedure.room,
        reference=procedure.reference.reveal(),
        title=procedure.title.reveal(),
        staff=[StaffEntry(role=one.role, name=one.name.reveal()) for one in procedure.staff],
        retention_class=procedure.retention_class,
        opened_at=procedure.opened_at,
        confirmed_at=procedure.confirmed_at,
        closed_at=procedure.closed_at,
        purposes=[_purpose(one) for one in standing.values()],
    )


def _purpose(standing: Standing) -> PurposeState:
    consent = standing.consent
    return PurposeState(
        purpose=standing.purpose,
        permitted=standing.permitted,
        decision=None if consent is None else consent.decision,
        decided_at=None if consent is None else consent.decided_at,
        by_break_glass=consent is None and standing.broken is not None,
    )


async def open_procedure(request: web.Request) -> web.Response:
    """Binds a room to a patient."""
    parts, holder = services(request), bearer(request)
    wish = await body.read_json(request, parts.limits, ProcedureRequest)
    if not is_room_name(wish.room):
        raise MalformedMessage("not a room's name", field="$.room")
    _require(holder, wish.room, Right.CONSENT)
    team = [
        StaffMember(one.role, Redacted(_cleaned(one.name, MAX_NAME_CHARACTERS, f"$.staff[{index}].name")))
        for index, one in enumerate(wish.staff)
    ]
    procedure = await parts.kept.procedures.open(
        RoomId(wish.room),
        _cleaned(wish.reference, MAX_REFERENCE_CHARACTERS, "$.reference"),
        clean(wish.title, MAX_TITLE_CHARACTERS),
        team,
        actor(holder, request.remote),
        wish.retention_class,
    )
    await parts.server.audience.refresh()
    return json_response(await _state(request, procedure))


async def list_procedures(request: web.Request) -> web.Response:
    """Procedures of one room."""
    room = request.match_info["room"]
    _require(bearer(request), room, Right.CONSENT, Right.REVIEW, Right.AUDIT)
    try:
        found = await services(request).kept.procedures.find(RoomId(room))
    except NoMasterKey as lacking:
        return json_response(ProcedureList(procedures=[], unavailable=lacking.code))
    return json_response(ProcedureList(procedures=[await _state(request, one) for one in found]))


async def show_procedure(request: web.Request) -> web.Response:
    """One procedure."""
    procedure, _ = await _find(request, Right.CONSENT, Right.REVIEW, Right.AUDIT)
    return json_response(await _state(request, procedure))


async def confirm_patient(request: web.Request) -> web.Response:
    """Takes down that the patient was confirmed by two identifiers."""
    procedure, holder = await _find(request, Right.CONSENT)
    kept = services(request).kept.procedures
    return json_response(
        await _state(request, await kept.confirm(procedure.id, actor(holder, request.remote)))
    )


async def close_procedure(request: web.Request) -> web.Response:
    """Frees the room for another patient."""
    procedure, holder = await _find(request, Right.CONSENT)
    parts = services(request)
    closed = await parts.kept.procedures.close(procedure.id, actor(holder, request.remote))
    await parts.server.audience.refresh()
    return json_response(await _state(request, closed))


async def show_consents(request: web.Request) -> web.Response:
    """What was consented to in a procedure, with its history."""
    procedure, _ = await _find(request, Right.CONSENT, Right.AUDIT)
    return json_response(await _register(request, procedure.id))


async def _register(request: web.Request, procedure: ProcedureId) -> ConsentRegister:
    consents = services(request).kept.consents
    standing, history = await consents.standing(procedure), await consents.history(procedure)
    return ConsentRegister(
        purposes=[_purpose(one) for one in standing.values()],
        history=[
            ConsentEntry(
                purpose=one.purpose,
                decision=one.decision,
                by=one.by.reveal(),
                relation=one.relation,
                form=one.form,
                text_version=one.text_version,
                language=one.language,
                decided_at=one.decided_at,
                recorded_at=one.recorded_at,
                recorded_by=one.recorded_by,
            )
            for one in history
        ],
    )


async def decide(request: web.Request) -> web.Response:
    """Takes down a decision: given, refused or withdrawn."""
    procedure, holder = await _find(request, Right.CONSENT)
    parts = services(request)
    wish = await body.read_json(request, parts.limits, ConsentRequest)
    consent = Consent(
        purpose=wish.purpose,
        decision=wish.decision,
        by=Redacted(_cleaned(wish.by, MAX_NAME_CHARACTERS, "$.by")),
        relation=wish.relation,
        form=wish.form,
        text_version=wish.text_version,
        language=wish.language,
        decided_at=wish.decided_at or now(),
    )
    await parts.kept.consents.decide(procedure.id, consent, actor(holder, request.remote))
    await parts.server.audience.refresh()
    return json_response(await _register(request, procedure.id))


async def break_glass(request: web.Request) -> web.Response:
    """Serves a purpose without consent, for a patient who cannot be asked; somebody else reviews it."""
    procedure, holder = await _find(request, Right.CONSENT)
    parts = services(request)
    wish = await body.read_json(request, parts.limits, BreakGlassRequest)
    reason = _cleaned(wish.reason, MAX_REASON_CHARACTERS, "$.reason")
    who = actor(holder, request.remote)
    await parts.kept.consents.break_glass(procedure.id, wish.purpose, reason, who)
    await parts.server.audience.refresh()
    return json_response(await _state(request, procedure))


async def list_break_glass(request: web.Request) -> web.Response:
    """Break-glass that waits for its review."""
    holder = bearer(request)
    if Right.AUDIT not in holder.rights:
        raise errors.NotPermitted
    kept = services(request).kept
    waiting = [
        _broken(procedure, one)
        for procedure, one in await kept.consents.unreviewed()
        if holder.may_see_room((await kept.procedures.get(procedure)).room)
    ]
    return json_response(BreakGlassList(waiting=waiting))


async def review_break_glass(request: web.Request) -> web.Response:
    """Takes down what the review of a break-glass found."""
    procedure, holder = await _find(request, Right.AUDIT)
    parts = services(request)
    wish = await body.read_json(request, parts.limits, ReviewRequest)
    finding = _cleaned(wish.finding, MAX_REASON_CHARACTERS, "$.finding")
    number = request.match_info["number"]
    waiting = {
        str(one.id): one.id for where, one in await parts.kept.consents.unreviewed() if where == procedure.id
    }
    if number not in waiting:
        raise UnknownProcedure("nothing of this number waits for its review")
    reviewed = await parts.kept.consents.review(waiting[number], finding, actor(holder, request.remote))
    return json_response(_broken(procedure.id, reviewed))


def _broken(procedure: ProcedureId, one: BrokenGlass) -> BreakGlassEntry:
    return BreakGlassEntry(
        id=one.id,
        procedure=procedure,
        purpose=one.purpose,
        reason=one.reason.reveal(),
        broken_at=one.broken_at,
        broken_by=one.broken_by,
        reviewed_at=one.reviewed_at,
        finding=None if one.finding is None else one.finding.reveal(),
    )


_CONSENT = "the right `consent` in this room"
_STUDY = "the right `consent`, `review` or `audit` in this room"
_ONE = "/api/v1/procedures/{procedure}"
_PROBLEMS = (401, 403, 404, 409, 503)

ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/api/v1/procedures",
        handler=open_procedure,
        summary="Binds a room to a patient.",
        request=ProcedureRequest,
        response=ProcedureState,
        rights=_CONSENT,
        problems=(401, 403, 409, 503),
    ),
    Route(
        method="GET",
        path="/api/v1/rooms/{room}/procedures",
        handler=list_procedures,
        summary="Procedures of one room, newest first.",
        response=ProcedureList,
        rights=_STUDY,
        problems=(401, 403, 503),
    ),
    Route(
        method="GET",
        path=_ONE,
        handler=show_procedure,
        summary="One procedure and what is permitted in it.",
        response=ProcedureState,
        rights=_STUDY,
        problems=_PROBLEMS,
    ),
    Route(
        method="POST",
        path=f"{_ONE}/confirmation",
        handler=confirm_patient,
        summary="Takes down that the patient was confirmed by two identifiers.",
        response=ProcedureState,
        rights=_CONSENT,
        problems=_PROBLEMS,
    ),
    Route(
        method="POST",
        path=f"{_ONE}/closing",
        handler=close_procedure,
        summary="Closes a procedure: the room is free for another patient.",
        response=ProcedureState,
        rights=_CONSENT,
        problems=_PROBLEMS,
    ),
    Route(
        method="GET",
        path=f"{_ONE}/consents",
        handler=show_consents,
        summary="What was consented to, with every decision.",
        response=ConsentRegister,
        rights="the right `consent` or `audit` in this room",
        problems=_PROBLEMS,
    ),
    Route(
        method="POST",
        path=f"{_ONE}/consents",
        handler=decide,
        summary="Takes down a decision: given, refused or withdrawn.",
        request=ConsentRequest,
        response=ConsentRegister,
        rights=_CONSENT,
        problems=_PROBLEMS,
    ),
    Route(
        method="POST",
        path=f"{_ONE}/break-glass",
        handler=break_glass,
        summary="Serves a purpose of a patient who cannot be asked.",
        request=BreakGlassRequest,
        response=ProcedureState,
        rights=_CONSENT,
        problems=_PROBLEMS,
    ),
    Route(
        method="GET",
        path="/api/v1/break-glass",
        handler=list_break_glass,
        summary="Break-glass that waits for its review.",
        response=BreakGlassList,
        rights="the right `audit`",
        problems=(401, 403, 503),
    ),
    Route(
        method="POST",
        path=f"{_ONE}/break-glass/{{number}}/review",
        handler=review_break_glass,
        summary="Takes down what the review of a break-glass found.",
        request=ReviewRequest,
        response=BreakGlassEntry,
        rights="the right `audit`, and not to have broken it oneself",
        problems=_PROBLEMS,
    ),
)
