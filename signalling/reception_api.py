"""REST of review: what each viewer got while a recording was made, as the operators' history has it."""

from __future__ import annotations

import asyncio
import time

from aiohttp import web
from msgspec import Struct

from mediaserver.audit import Event
from mediaserver.policy import Right
from mediaserver.quality_history import query
from mediaserver.quality_history.store import THIN_STEP_MS
from mediaserver.review.reception import Reception, Viewer
from signalling.auditing import actor
from signalling.context import services
from signalling.openapi import Route, json_response
from signalling.review_api import BASE, permitted

MAX_SAMPLES = 500_000
"""Read for one answer: three hours of forty participants, every second."""
PAGE = 500


class ReceptionReport(Struct, frozen=True, kw_only=True):
    """Participants are ids and roles."""

    viewers: list[Viewer]
    known_from: float | None
    """Second of the recording from which on the history holds anything; None: it holds nothing."""
    complete: bool
    """False: there were more viewers, or more seconds, than are read for one answer."""


async def read_reception(request: web.Request) -> web.Response:
    """What each viewer got, and when."""
    at, asking, entry = await permitted(request, Right.REVIEW)
    at.audit.append(
        Event.RECORDING_REVIEW,
        actor=actor(asking, request.remote),
        room=entry.room,
        subject=entry.id,
        details={"read": "reception"},
    )
    from_ms = round(entry.started_at.timestamp() * 1000)
    to_ms = time.time_ns() // 1_000_000 if entry.seconds is None else from_ms + round(entry.seconds * 1000)
    return json_response(await _gather(request, entry.room, from_ms, to_ms))


async def _gather(request: web.Request, room: str, from_ms: int, to_ms: int) -> ReceptionReport:
    database = services(request).operations.store.database
    reception, taken, cursor = Reception(from_ms, to_ms), 0, None
    begin_ms = from_ms - from_ms % THIN_STEP_MS  # a thinned sample stands at the beginning of its ten seconds
    while taken < MAX_SAMPLES:
        page = await query.samples(database, room, begin_ms, to_ms, limit=PAGE, cursor=cursor)
        await asyncio.to_thread(reception.add, page.samples)
        taken, cursor = taken + len(page.samples), page.next
        if cursor is None:
            break
    return ReceptionReport(
        viewers=await asyncio.to_thread(reception.viewers),
        known_from=reception.known_from,
        complete=cursor is None and not reception.left_out,
    )


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET", path=f"{BASE}/{{recording}}/reception", handler=read_reception,
        summary="What each viewer got, and when.", response=ReceptionReport,
        rights="the right `review` in the recording's room", problems=(401, 403, 404, 503),
    ),
)  # fmt: skip
