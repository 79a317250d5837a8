"""Puts together what review needs, and takes it apart with the application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from mediaserver.config import Settings
from mediaserver.review.desk import Desk
from mediaserver.review.export.jobs import Jobs
from mediaserver.review.kept_reception import KeptReception
from mediaserver.review.purposes import PatientsWill
from mediaserver.review.views import Views
from mediaserver.store.objects import Objects
from mediaserver.store.store import Store
from mediaserver.tasks import end_tasks
from signalling.context import SERVICES


def open_desk(settings: Settings, store: Store | None, now: Callable[[], float]) -> Desk | None:
    """None without a vault: then nothing is recorded either."""
    if store is None or store.vault is None:
        return None
    return Desk(
        library=store.library,
        roots=store.roots,
        vault=store.vault,
        objects=Objects.open(settings.storage),
        audit=store.audit,
        jobs=Jobs(settings, now=now),
        views=Views(now),
        will=PatientsWill(store.consents),
    )


async def running(application: web.Application) -> AsyncIterator[None]:
    """The desk runs as long as the application does; then exports and views end, while the store still takes
    what the audit is told."""
    services = application[SERVICES]
    desk = services.desk
    if desk is None:
        yield
        return
    history, ended = services.operations.store.database, services.server.recordings.ended
    reception = KeptReception(desk.roots, desk.vault, history, ended)
    works = (desk.run(), desk.follow_consents(), reception.run())
    tasks = [asyncio.create_task(work) for work in works]
    yield
    await end_tasks(tasks)
    await desk.close()
