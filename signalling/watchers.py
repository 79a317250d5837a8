"""What runs beside a serving process and watches it for operators: the picture probe and the canary."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine

from mediaserver.quality.control import PictureProbe
from mediaserver.tasks import end_tasks
from signalling.canary.control import Canary
from signalling.context import Services


@contextlib.asynccontextmanager
async def running(parts: Services, url: str) -> AsyncIterator[None]:
    """Runs what the settings ask for while the context lasts. ``url`` reaches this server from here."""
    desk, watch = parts.operations, parts.settings.watch
    work: list[Coroutine[None, None, None]] = []
    if watch.pictures:
        probe = desk.probe = PictureProbe(parts.server.registry, desk.picture_seen)
        work.append(probe.run())
    if watch.canary:
        work.append(Canary(parts.authenticator, url, desk.canary_seen).run())
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield
    finally:
        await end_tasks(tasks)
