"""The store of one data folder: the database, the audit that always is kept, and what needs the vault."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Final

import structlog

from mediaserver.audit import SYSTEM, Event
from mediaserver.config import Settings
from mediaserver.store.audit import AuditTrail
from mediaserver.store.bookmarks import Bookmarks
from mediaserver.store.consents import Consents
from mediaserver.store.database import Database, DatabaseFailed
from mediaserver.store.library import StoredLibrary
from mediaserver.store.procedures import Procedures
from mediaserver.store.recordings import Recordings
from mediaserver.store.schema import FILE_NAME, MIGRATIONS
from mediaserver.vault import NoMasterKey, Vault
from mediaserver.witness import Witness

CLOSE_SECONDS: Final = 10.0
"""For what waits to be written at the end."""

_log = structlog.stdlib.get_logger(__name__)


@dataclass(slots=True)
class Store:
    """Opened once by a server, and by each command; ``start`` and ``close`` are for the event loop."""

    database: Database
    vault: Vault | None
    audit: AuditTrail
    _procedures: Procedures | None = None
    _consents: Consents | None = None
    _recordings: Recordings | None = None
    _bookmarks: Bookmarks | None = None
    _writing: asyncio.Task[None] | None = field(default=None)

    @classmethod
    def open(cls, settings: Settings) -> Store:
        """Raises ``DatabaseFailed``, ``MigrationFailed``; ``InvalidSettings`` for a key that is unusable."""
        try:
            vault = Vault.open(settings)
        except NoMasterKey:
            vault = None
        database = Database.open(settings.data.folder / FILE_NAME, MIGRATIONS)
        audit = AuditTrail(database, vault)
        if vault is None:
            return cls(database, None, audit)
        procedures = Procedures(database, vault, audit)
        return cls(
            database,
            vault,
            audit,
            procedures,
            Consents(database, vault, audit),
            Recordings(database, vault, audit, settings.retention),
            Bookmarks(database, vault, audit),
        )

    @property
    def procedures(self) -> Procedures:
        """Raises ``NoMasterKey``."""
        if self._procedures is None:
            raise NoMasterKey
        return self._procedures

    @property
    def consents(self) -> Consents:
        """Raises ``NoMasterKey``."""
        if self._consents is None:
            raise NoMasterKey
        return self._consents

    @property
    def recordings(self) -> Recordings:
        """Raises ``NoMasterKey``."""
        if self._recordings is None:
            raise NoMasterKey
        return self._recordings

    @property
    def bookmarks(self) -> Bookmarks:
        """Raises ``NoMasterKey``."""
        if self._bookmarks is None:
            raise NoMasterKey
        return self._bookmarks

    @property
    def library(self) -> StoredLibrary:
        """Raises ``NoMasterKey``."""
        return StoredLibrary(self.database, self.procedures, self.bookmarks)

    async def start(self, witness: Witness | None = None) -> None:
        """Begins to write the audit; tells the witness which procedures rooms serve.

        Raises ``DatabaseFailed``.
        """
        if witness is not None and self._procedures is not None:
            for procedure in await self._procedures.find(None, open_only=True):
                witness.serves(procedure.room, procedure.id)
        key = None if self.vault is None else self.vault.key_id
        self.audit.append(Event.AUDIT_START, actor=SYSTEM, details={"key": key})
        self._writing = asyncio.get_running_loop().create_task(self.audit.run())

    async def close(self) -> None:
        """Writes what waits, signs the end, closes the file. Idempotent."""
        if self._writing is not None:
            self._writing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._writing
            self._writing = None
            try:
                await asyncio.wait_for(self.audit.close(), CLOSE_SECONDS)
            except (DatabaseFailed, TimeoutError):
                _log.error("audit not written to its end", waiting=self.audit.spooled)
        await asyncio.to_thread(self.database.close)
