"""Opens what review needs when the server starts, and closes it when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable

from mediaserver.config import Settings
from mediaserver.review.desk import Desk
from mediaserver.review.export.jobs import Jobs
from mediaserver.review.shelf import Shelf
from mediaserver.review.views import Views
from mediaserver.store.audit import AuditTrail
from mediaserver.store.database import Database, DatabaseFailed
from mediaserver.store.schema import FILE_NAME, MIGRATIONS
from mediaserver.vault import NoMasterKey, Vault

log = logging.getLogger("loupe.signalling")


@contextlib.asynccontextmanager
async def opened_desk(settings: Settings, now: Callable[[], float] = time.time) -> AsyncIterator[Desk | None]:
    """None without a master key. Raises ``InvalidSettings`` for one that cannot be used, ``DatabaseFailed``."""
    try:
        vault = Vault.open(settings)
    except NoMasterKey as missing:
        log.info("review is off", extra={"reason": missing.message})
        yield None
        return
    database = Database.open(settings.data.folder / FILE_NAME, MIGRATIONS)
    trail = AuditTrail(database, vault)
    writing = asyncio.get_running_loop().create_task(trail.run())
    desk = assemble(settings, vault, database, trail, now)
    try:
        yield desk
    finally:
        await desk.close()
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        with contextlib.suppress(DatabaseFailed):
            await trail.close()
        await asyncio.to_thread(database.close)


def assemble(
    settings: Settings, vault: Vault, database: Database, trail: AuditTrail, now: Callable[[], float]
) -> Desk:
    """The desk over these parts."""
    root = settings.data.folder / "recordings"
    return Desk(
        library=Shelf(root, vault, database, trail),
        root=root,
        vault=vault,
        audit=trail,
        jobs=Jobs(settings.data.folder, settings.recording.master_key_file, now=now),
        views=Views(now),
    )
