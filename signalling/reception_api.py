"""REST of review: what each viewer got while a recording was made, as it was sealed with it; of one
that is not over, or not sealed yet, as the operators' history has it."""

from __future__ import annotations

import time

from aiohttp import web

from mediaserver.audit import Event
from mediaserver.policy import Right
from mediaserver.review.desk import Desk
from mediaserver.review.kept_reception import ReceptionReport, gather, sealed
from mediaserver.store.library import Entry
from mediaserver.store.recordings import UnknownRecording
from signalling.auditing import actor
from signalling.context import services
from signalling.openapi import Route, json_response
from signalling.review_api import BASE, permitted


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
    kept = await _sealed(at, entry)
    return json_response(await _live(request, entry) if kept is None else kept)


async def _sealed(at: Desk, entry: Entry) -> ReceptionReport | None:
    try:
        return await at.in_reader(sealed, await at.folder(entry.id), at.vault)
    except OSError:
        raise UnknownRecording("the recording's files are not here") from None


async def _live(request: web.Request, entry: Entry) -> ReceptionReport:
    from_ms = round(entry.started_at.timestamp() * 1000)
    if entry.seconds is not None:
        to_ms = from_ms + round(entry.seconds * 1000)
    else:
        to_ms = services(request).server.recordings.clock_ms(entry.room) or time.time_ns() // 1_000_000
    return await gather(services(request).operations.store.database, entry.room, from_ms, to_ms)


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET", path=f"{BASE}/{{recording}}/reception", handler=read_reception,
        summary="What each viewer got, and when.", response=ReceptionReport,
        rights="the right `review` in the recording's room", problems=(401, 403, 404, 503),
    ),
)  # fmt: skip
