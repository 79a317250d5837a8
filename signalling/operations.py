"""``/api/v1/operations``: the board, rooms, history, timeline, alerts and reports for operators.

Every path needs the right ``inspect``. Who reads is audited, with the time it is of, once in ten minutes.
``docs/operations-api.md`` lists the paths.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import tzinfo
from typing import Any, cast

import msgspec
from aiohttp import web

from mediaserver.audit import Event
from mediaserver.cause.texts import CAUSES
from mediaserver.config import Settings
from mediaserver.errors import NotPermitted
from mediaserver.incident import page, report
from mediaserver.incident.model import IncidentReport
from mediaserver.incident.words import Language
from mediaserver.operations.model import (
    AlertPage,
    Board,
    CauseList,
    HistoryPage,
    RoomDetail,
    RoomSpanPage,
    Sample,
    TimelinePage,
)
from mediaserver.policy import Right
from mediaserver.quality_history import query
from mediaserver.quality_history.database import Database
from mediaserver.zones import VIETNAM, named
from signalling.auditing import actor
from signalling.auth import Bearer
from signalling.context import SERVICES, bearer, services
from signalling.errors import MalformedMessage
from signalling.exports import Exports
from signalling.openapi import Route, json_response, served
from signalling.readings import READINGS
from signalling.tokens import ANY_ROOM, ROOM_PATTERN

PREFIX = "/api/v1/operations"
RECENT_MS = 10 * 60 * 1000
FOLLOWED_MS = RECENT_MS + 60 * 1000
"""What a page holds of a room that it follows, by a clock that may be a minute off."""
DAY_MS = 24 * 3600 * 1000
MAX_LIMIT = 5_000
MAX_CSV_MS = 3600 * 1000
MAX_REPORT_MS = DAY_MS
MAX_TIME_MS = 253_000_000_000_000
"""In the year 9987: what comes after the year 9999 has no date."""
DROPPED_BEFORE = "Loupe-Dropped-Before"
"""A header of an export that does not hold all: Unix milliseconds."""
EXPORTS: web.AppKey[Exports] = web.AppKey("exports", Exports)


# ---- Who asks, and for what ----


def _operator(request: web.Request) -> Bearer:
    """Who asks, if they may. Raises ``Unauthorized``, ``NotPermitted``."""
    holder = bearer(request)
    room = request.match_info.get("room")
    if Right.INSPECT not in holder.rights or not (room is None or holder.may_see_room(room)):
        raise NotPermitted("this needs the right inspect")
    return holder


def _audit(
    request: web.Request, holder: Bearer, what: str, room: str | None, span: tuple[int, int] | None = None
) -> None:
    """``span``: of which time. A page that follows a live room asks for ever another: that is one reading."""
    asked = request.query.get("from", ""), request.query.get("to", "")
    if span is None or (not asked[1] and span[1] - span[0] <= FOLLOWED_MS):
        asked = "", ""
    if request.config_dict[READINGS].is_news((holder.claims.sub, room or "", what, *asked), time.monotonic()):
        times = {} if span is None else {"from_ms": span[0], "to_ms": span[1]}
        services(request).audit.append(
            Event.OPERATIONS_READ,
            actor=actor(holder, request.remote),
            room=room,
            details={"read": what, **times},
        )


def _span(request: web.Request, usual_ms: int) -> tuple[int, int]:
    to_ms = _number(request, "to", time.time_ns() // 1_000_000, MAX_TIME_MS)
    return _number(request, "from", max(0, to_ms - usual_ms), MAX_TIME_MS), to_ms


def _number(request: web.Request, name: str, usual: int, highest: int) -> int:
    text = request.query.get(name)
    if text is None:
        return usual
    if not (text.isascii() and text.isdigit() and len(text) <= 16 and int(text) <= highest):
        raise MalformedMessage(f"a whole number from 0 to {highest}", field=name)
    return int(text)


def _paging(request: web.Request, usual: int) -> dict[str, Any]:
    limit = _number(request, "limit", usual, MAX_LIMIT)
    return {"limit": max(1, limit), "cursor": request.query.get("cursor")}


def _zone(request: web.Request) -> tzinfo:
    name = request.query.get("zone")
    try:
        return VIETNAM if name is None else named(name)
    except ValueError:
        raise MalformedMessage("the name of a time zone, as Asia/Ho_Chi_Minh", field="zone") from None


def _only_room(request: web.Request, holder: Bearer) -> str | None:
    """The room asked for, or the only one that the token may see; None: all."""
    asked = request.query.get("room")
    own = None if holder.claims.room == ANY_ROOM else holder.claims.room
    if asked is not None and not holder.may_see_room(asked):
        raise NotPermitted("this needs the right inspect")
    return asked or own


async def _large(found: HistoryPage | IncidentReport) -> web.Response:
    """Written in a thread, sample by sample: one call for all would stop every other thread until its end."""

    def written() -> web.Response:
        samples = b",".join(msgspec.json.encode(one) for one in found.samples)
        return json_response(msgspec.structs.asdict(found) | {"samples": msgspec.Raw(b"[%b]" % samples)})

    return await asyncio.to_thread(written)


# ---- Now ----


async def board(request: web.Request) -> web.Response:
    """All live rooms, in the order in which to look at them."""
    holder = _operator(request)
    return json_response(services(request).operations.board(holder.may_see_room))


async def causes(request: web.Request) -> web.Response:
    """All causes with their texts."""
    _operator(request)
    return json_response(CauseList(causes=list(CAUSES.values())))


async def room(request: web.Request) -> web.Response:
    """One live room, down to the tracks."""
    holder, name = _operator(request), request.match_info["room"]
    found = services(request).operations.room(name)
    _audit(request, holder, "live", name)
    return json_response(found)


# ---- Then ----


async def rooms(request: web.Request) -> web.Response:
    """Rooms that stood, newest first."""
    holder = _operator(request)
    database = services(request).operations.store.database
    only, span, paging = _only_room(request, holder), _span(request, DAY_MS), _paging(request, 100)
    _audit(request, holder, "rooms", only, span)
    found = await query.spans(database, *span, room=only, **paging)
    return json_response(found)


async def history(request: web.Request) -> web.Response:
    """Samples of a room, oldest first."""
    holder = _operator(request)
    name, span, paging = request.match_info["room"], _span(request, RECENT_MS), _paging(request, 1000)
    _audit(request, holder, "history", name, span)
    found = await query.samples(
        services(request).operations.store.database,
        name,
        *span,
        participant=request.query.get("participant"),
        **paging,
    )
    return await _large(found)


async def history_csv(request: web.Request) -> web.StreamResponse:
    """The same as CSV, whole."""
    holder = _operator(request)
    name, (from_ms, to_ms), zone = request.match_info["room"], _span(request, RECENT_MS), _zone(request)
    if to_ms - from_ms > MAX_CSV_MS:
        raise MalformedMessage("an export holds an hour at most", field="from")
    _audit(request, holder, "export", name, (from_ms, to_ms))
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/csv; charset=utf-8",
            "Content-Disposition": f'attachment; filename="{name}-{from_ms}.csv"',
            "Cache-Control": "no-store",
        }
    )
    async with request.config_dict[EXPORTS].turn():
        first = await _read(request, name, (from_ms, to_ms), None)
        if (before_ms := first.dropped_before_ms or 0) > from_ms:
            response.headers[DROPPED_BEFORE] = str(before_ms)
        await response.prepare(request)
        await response.write(query.csv_head(from_ms, first.dropped_before_ms, zone).encode())
        async for samples in _all(request, name, (from_ms, to_ms), first):
            await response.write((await asyncio.to_thread(query.csv_lines, samples, zone)).encode())
        await response.write_eof()
    return response


async def _read(request: web.Request, name: str, span: tuple[int, int], cursor: str | None) -> HistoryPage:
    """A page of an export."""
    database, participant = services(request).operations.store.database, request.query.get("participant")
    return await query.samples(database, name, *span, participant=participant, limit=1000, cursor=cursor)


async def _all(
    request: web.Request, name: str, span: tuple[int, int], found: HistoryPage
) -> AsyncIterator[list[Sample]]:
    """The samples of a page and of all that follow it."""
    yield found.samples
    while found.next is not None:
        found = await _read(request, name, span, found.next)
        yield found.samples


async def timeline(request: web.Request) -> web.Response:
    """What happened in a room, oldest first."""
    holder = _operator(request)
    database = services(request).operations.store.database
    name, span, paging = request.match_info["room"], _span(request, RECENT_MS), _paging(request, 500)
    _audit(request, holder, "timeline", name, span)
    found = await query.timeline(database, name, *span, **paging)
    return json_response(found)


async def alerts(request: web.Request) -> web.Response:
    """Alerts, newest first; those open now are told whether or not there is a history."""
    holder = _operator(request)
    desk, only, paging = services(request).operations, _only_room(request, holder), _paging(request, 100)
    if request.query.get("open") == "true":
        standing = desk.open_alerts(holder.may_see_room)
        if "room" in request.query:
            standing = [one for one in standing if one.room == only]
        return json_response(AlertPage(alerts=standing[: paging["limit"]], next=None))
    span = _span(request, DAY_MS)
    _audit(request, holder, "alerts", only, span)
    return json_response(await query.alerts(desk.store.database, *span, room=only, **paging))


async def incident(request: web.Request) -> web.Response:
    """The incident report as data."""
    asked = _report_asked(request)
    async with request.config_dict[EXPORTS].turn():
        return await _large(await report.gather(*asked))


async def incident_page(request: web.Request) -> web.Response:
    """The incident report to read and print."""
    _operator(request)
    language = request.query.get("language", "vi")
    if language not in ("vi", "en"):
        raise MalformedMessage("vi or en", field="language")
    zone = _zone(request)
    asked = _report_asked(request)
    async with request.config_dict[EXPORTS].turn():
        found = await report.gather(*asked)
        text = await asyncio.to_thread(page.render, found, cast("Language", language), zone)
    return web.Response(
        text=text,
        content_type="text/html",
        charset="utf-8",
        headers={"Cache-Control": "no-store", "Content-Security-Policy": page.POLICY},
    )


def _report_asked(request: web.Request) -> tuple[Database, Settings, str, int, int]:
    """What to gather a report from, for those who may."""
    holder = _operator(request)
    parts, name = services(request), request.match_info["room"]
    from_ms, to_ms = _span(request, RECENT_MS)
    if to_ms - from_ms > MAX_REPORT_MS:
        raise MalformedMessage("a report covers a day at most", field="from")
    _audit(request, holder, "report", name, (from_ms, to_ms))
    return parts.operations.store.database, parts.settings, name, from_ms, to_ms


_RIGHTS = "the right `inspect` for this room, or for all"
_MILLISECONDS = {"type": "integer", "minimum": 0, "maximum": MAX_TIME_MS, "description": "Unix milliseconds."}
_SPAN: dict[str, dict[str, Any]] = {"from": _MILLISECONDS, "to": _MILLISECONDS}
_PAGE: dict[str, dict[str, Any]] = {
    "limit": {"type": "integer", "minimum": 0, "maximum": MAX_LIMIT, "description": "Entries of a page."},
    "cursor": {"type": "string", "maxLength": 64, "description": "`next` of the page before."},
}
_ROOM = {"type": "string", "pattern": ROOM_PATTERN, "description": "Only this room."}
_PARTICIPANT = {"type": "string", "maxLength": 64, "description": "Only this participant."}
_OPEN = {"type": "boolean", "description": "`true`: those open now, whenever raised; one page."}

ROUTES: tuple[Route, ...] = tuple(
    Route(
        method="GET",
        path=f"{PREFIX}/{path}",
        handler=handler,
        summary=handler.__doc__ or "",
        response=response,
        rights=_RIGHTS,
        query=asked,
        problems=(400, 401, 403, 404) if path == "rooms/{room}" else (400, 401, 403),
    )
    for path, handler, response, asked in (
        ("board", board, Board, {}),
        ("causes", causes, CauseList, {}),
        ("rooms", rooms, RoomSpanPage, {"room": _ROOM, **_SPAN, **_PAGE}),
        ("rooms/{room}", room, RoomDetail, {}),
        ("rooms/{room}/history", history, HistoryPage, {"participant": _PARTICIPANT, **_SPAN, **_PAGE}),
        ("rooms/{room}/timeline", timeline, TimelinePage, {**_SPAN, **_PAGE}),
        ("rooms/{room}/report", incident, IncidentReport, _SPAN),
        (
            "alerts",
            alerts,
            AlertPage,
            {"open": _OPEN, "room": _ROOM, **_SPAN, **_PAGE},
        ),
    )
)


def routes() -> list[web.RouteDef]:
    """For the router."""
    return [
        *served(ROUTES),
        web.get(f"{PREFIX}/rooms/{{room}}/history.csv", history_csv),
        web.get(f"{PREFIX}/rooms/{{room}}/report.html", incident_page),
    ]


async def running(application: web.Application) -> AsyncIterator[None]:
    """The desk runs as long as the application does."""
    async with application[SERVICES].operations.running():
        yield
