"""REST of exports: start one, see how far it is, cancel it, take its files."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, Literal, assert_never

from aiohttp import web
from msgspec import Struct
from msgspec.structs import replace

from mediaserver.audit import Event
from mediaserver.errors import NotPermitted
from mediaserver.policy import Right, require
from mediaserver.review.desk import Desk
from mediaserver.review.export.jobs import Cancelled, Job, Running, Waiting
from mediaserver.review.export.order import Order, cameras, span
from mediaserver.review.export.sending import Sending, SendingReport, Stored
from mediaserver.review.export.worker import Failed, Finished, Progress
from mediaserver.review.purposes import Use, stated
from mediaserver.store.recordings import UnknownRecording
from signalling import body, pieces
from signalling.context import services
from signalling.openapi import Route, json_response
from signalling.review_api import BASE, VIEW_QUERY, permitted, viewing

_TYPES = {
    "mp4": "video/mp4", "png": "image/png", "jpg": "image/jpeg", "dcm": "application/dicom",
    "json": "application/json",
}  # fmt: skip


class ArchiveState(Struct, frozen=True, kw_only=True):
    """How far the sending of an export's DICOM objects to the archive is."""

    state: Literal["sending", "stored", "failed"]
    percent: float = 0.0
    code: str = ""
    """Of the error, when it failed."""


class ExportState(Struct, frozen=True, kw_only=True):
    """How far an export is. Rate: seconds of film per second."""

    id: str
    form: str
    use: Use
    """What it is for; only a view for that may take its files."""
    state: Literal["waiting", "running", "finished", "failed", "cancelled"]
    percent: float = 0.0
    rate: float = 0.0
    left_seconds: float | None = None
    files: list[str] = []
    code: str = ""
    """Of the error, when it failed."""
    archive: ArchiveState | None = None
    """None: it was not sent there."""


class ExportList(Struct, frozen=True, kw_only=True):
    """Of one recording, oldest first."""

    exports: list[ExportState]
    archive: str | None
    """Title of the archive (PACS) that DICOM objects may be sent to; None: none is configured."""


def _state(job: Job) -> ExportState:
    id, form, use = job.id, job.order.form, job.order.use
    match job.state:
        case Waiting():
            return ExportState(id=id, form=form, use=use, state="waiting")
        case Progress() | Running():
            running = job.state
            assert isinstance(running, Running), "jobs turn progress into it"
            share = running.done_seconds / running.all_seconds if running.all_seconds > 0 else 0.0
            return ExportState(
                id=id, form=form, use=use, state="running", percent=round(100 * min(1.0, share), 1),
                rate=round(running.rate, 2), left_seconds=running.left_seconds,
            )  # fmt: skip
        case Finished(files=files):
            return ExportState(
                id=id, form=form, use=use, state="finished", percent=100.0, files=files,
                archive=_archived(job),
            )  # fmt: skip
        case Failed(code=code):
            return ExportState(id=id, form=form, use=use, state="failed", code=code)
        case Cancelled():
            return ExportState(id=id, form=form, use=use, state="cancelled")
        case _:
            assert_never(job.state)


def _archived(job: Job) -> ArchiveState | None:
    match job.sending:
        case None:
            return None
        case Sending(done_bytes=done, all_bytes=of):
            return ArchiveState(state="sending", percent=round(100 * done / of, 1) if of else 0.0)
        case Stored():
            return ArchiveState(state="stored", percent=100.0)
        case Failed(code=code):
            return ArchiveState(state="failed", code=code)
        case _:
            assert_never(job.sending)


def _outcome(job: Job) -> str:
    return "success" if isinstance(job.state, Finished) else "failed"


def _ended(job: Job) -> dict[str, str | int]:
    match job.state:
        case Finished(files=files):
            return {"export": job.id, "step": "finished", "files": len(files)}
        case Failed(code=code):
            return {"export": job.id, "step": "failed", "code": code}
        case _:
            return {"export": job.id, "step": "cancelled"}


async def start_export(request: web.Request) -> web.Response:
    """Queues it; what cannot be exported is refused at once."""
    at, asking, entry = await permitted(request, Right.EXPORT)
    order = await body.read_json(request, services(request).limits, Order)
    order = replace(order, use=stated(order.use, asking.claims.clinical))
    recording = await at.open(entry.id)
    folder = await at.folder(entry.id)
    cameras(order, recording)
    span(order, recording)
    await at.will.check(asking.role, order.use, recording.procedure)
    recording.check_manifest()
    job = at.jobs.start(entry.id, folder, order, asking.claims.sub, recording.procedure)
    details = {
        "form": order.form, "from": order.start_seconds, "to": order.end_seconds, "use": order.use.value,
    }  # fmt: skip
    note = partial(
        at.audit.append, Event.RECORDING_EXPORT, actor=asking.claims.sub, room=entry.room,
        procedure=recording.procedure, subject=entry.id,
    )  # fmt: skip
    note(details={"export": job.id, "step": "begun", **details})
    assert job.task is not None, "started above"
    job.task.add_done_callback(lambda _: note(outcome=_outcome(job), details=_ended(job)))
    return json_response(_state(job))


async def _job(request: web.Request) -> tuple[Desk, Job]:
    at, _, entry = await permitted(request, Right.EXPORT)
    job = at.jobs.get(request.match_info["export"])
    if job.recording != entry.id:
        raise UnknownRecording("no such export")
    return at, job


async def list_exports(request: web.Request) -> web.Response:
    """All of a recording that are kept."""
    at, _, entry = await permitted(request, Right.EXPORT)
    exports = [_state(job) for job in at.jobs.of(entry.id)]
    return json_response(ExportList(exports=exports, archive=at.jobs.archive))


async def show_export(request: web.Request) -> web.Response:
    """One."""
    return json_response(_state((await _job(request))[1]))


async def cancel_export(request: web.Request) -> web.Response:
    """Ends it if it runs; its files are gone."""
    at, job = await _job(request)
    await at.jobs.remove(job.id)
    return web.Response(status=204)


async def send_export(request: web.Request) -> web.Response:
    """Sends its DICOM objects to the archive; asked again while that is under way or done, says how far."""
    at, asking, entry = await permitted(request, Right.EXPORT)
    job = (await _job(request))[1]
    before = job.sending_task
    task = at.jobs.send(job.id).sending_task
    if task is not None and task is not before:
        note = partial(
            at.audit.append, Event.RECORDING_EXPORT, actor=asking.claims.sub, room=entry.room,
            procedure=job.procedure, subject=entry.id,
        )  # fmt: skip
        note(details={"export": job.id, "step": "sending", "objects": len(job.objects)})
        task.add_done_callback(lambda task: note(**_arrived(job, task)))
    return json_response(_state(job))


def _arrived(job: Job, task: asyncio.Task[SendingReport]) -> dict[str, Any]:
    """Outcome and details for the audit."""
    match None if task.cancelled() or task.exception() else task.result():
        case Stored(objects=objects):
            return {"outcome": "success", "details": {"export": job.id, "step": "stored", "objects": objects}}
        case Failed(code=code):
            return {"outcome": "failed", "details": {"export": job.id, "step": "not_stored", "code": code}}
        case _:
            details = {"export": job.id, "step": "not_stored", "code": "cancelled"}
            return {"outcome": "failed", "details": details}


async def take_file(request: web.Request) -> web.StreamResponse:
    """One of its files, decrypted on the way.

    By the cookie of a view, since a browser's download sends no token.
    """
    at, view = viewing(request)
    require(view.holder.granted(), Right.EXPORT)
    job = at.jobs.get(request.match_info["export"])
    if job.recording != view.recording.id:
        raise UnknownRecording("no such export")
    if job.order.use is not view.use:
        raise NotPermitted(f"this was copied for {job.order.use.value}, and is taken by a view for that")
    name = request.match_info["file"]
    source, reader = await at.in_reader(job.open, name)
    try:
        at.audit.append(
            Event.RECORDING_EXPORT, actor=view.subject, room=view.room, procedure=view.recording.procedure,
            subject=view.recording.id,
            details={"export": job.id, "step": "taken", "file": name, "use": view.use.value},
        )  # fmt: skip
        response = web.StreamResponse(
            headers={
                "Cache-Control": "no-store",
                "Content-Disposition": f'attachment; filename="loupe-{job.id}-{name}"',
                "Content-Type": _TYPES.get(name.rpartition(".")[2], "application/octet-stream"),
            }
        )

        async def read(offset: int, length: int) -> bytes:
            return await at.in_reader(reader.read, offset, length)

        def check() -> None:
            viewing(request)
            at.jobs.get(job.id)

        return await pieces.send(request, response, range(reader.size), read, check)
    finally:
        source.close()


_EXPORT = "the right `export` in the recording's room"
_PROBLEMS = (401, 403, 404)

ROUTES: tuple[Route, ...] = (
    Route(
        method="POST", path=f"{BASE}/{{recording}}/exports", handler=start_export,
        summary="Starts an export.", request=Order, response=ExportState, rights=_EXPORT,
        problems=(*_PROBLEMS, 422, 429),
    ),
    Route(
        method="GET", path=f"{BASE}/{{recording}}/exports", handler=list_exports,
        summary="A recording's exports.", response=ExportList, rights=_EXPORT, problems=_PROBLEMS,
    ),
    Route(
        method="GET", path=f"{BASE}/{{recording}}/exports/{{export}}", handler=show_export,
        summary="How far an export is.", response=ExportState, rights=_EXPORT, problems=_PROBLEMS,
    ),
    Route(
        method="DELETE", path=f"{BASE}/{{recording}}/exports/{{export}}", handler=cancel_export,
        summary="Cancels an export, or removes its files.", response=None, rights=_EXPORT, problems=_PROBLEMS,
    ),
    Route(
        method="POST", path=f"{BASE}/{{recording}}/exports/{{export}}/archive", handler=send_export,
        summary="Sends an export's DICOM objects to the archive.", response=ExportState, rights=_EXPORT,
        problems=(*_PROBLEMS, 422),
    ),
    Route(
        method="GET", path=f"{BASE}/{{recording}}/exports/{{export}}/files/{{file}}", handler=take_file,
        summary="A file of a finished export.", query=VIEW_QUERY, response=None,
        binary="application/octet-stream", bearer=None,
        rights="the cookie of a view, and the right `export`", problems=_PROBLEMS,
    ),
)  # fmt: skip
