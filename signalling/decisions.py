"""The server follows what patients decided as long as the application runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from mediaserver.server import Server
from mediaserver.store.served import KeptServedRooms
from mediaserver.store.store import Store
from mediaserver.tasks import end_tasks
from signalling.context import SERVICES


def follow_decisions(server: Server, store: Store | None) -> None:
    """Of this store; without a vault there are no procedures."""
    if store is not None and store.vault is not None:
        server.audience.kept = KeptServedRooms(store.consents)


async def running(application: web.Application) -> AsyncIterator[None]:
    """Known before anybody is let in, and followed from then on."""
    audience = application[SERVICES].server.audience
    await audience.refresh()
    following = asyncio.create_task(audience.follow())
    yield
    await end_tasks([following])
