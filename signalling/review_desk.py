"""Puts together what review needs when the server starts."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable

from mediaserver.config import Settings
from mediaserver.review.desk import Desk
from mediaserver.review.export.jobs import Jobs
from mediaserver.review.shelf import Shelf
from mediaserver.review.views import Views
from mediaserver.store.store import Store

log = logging.getLogger("loupe.signalling")


@contextlib.asynccontextmanager
async def opened_desk(
    settings: Settings, store: Store, now: Callable[[], float] = time.time
) -> AsyncIterator[Desk | None]:
    """None for a store without a vault: then nothing is recorded either."""
    if store.vault is None:
        log.info("review is off", extra={"reason": "no master key"})
        yield None
        return
    root = settings.data.folder / "recordings"
    desk = Desk(
        library=Shelf(root, store.vault, store.database, store.audit, store.procedures),
        root=root,
        vault=store.vault,
        audit=store.audit,
        jobs=Jobs(settings.data.folder, settings.recording.master_key_file, now=now),
        views=Views(now),
    )
    try:
        yield desk
    finally:
        await desk.close()


@contextlib.asynccontextmanager
async def opened_store(settings: Settings) -> AsyncIterator[Store]:
    """Raises as ``Store.open``."""
    store = Store.open(settings)
    store.start()
    try:
        yield store
    finally:
        await store.close()
