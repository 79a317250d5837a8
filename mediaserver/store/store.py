"""The store of one data folder: the database, the audit that always is kept, and what needs the vault."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import structlog

from mediaserver.audit import SYSTEM, Event
from mediaserver.config import Settings
from mediaserver.store.audit import AuditTrail
from mediaserver.store.bookmarks import Bookmarks
from mediaserver.store.consents import Consents
from mediaserver.store.database import Database, DatabaseFailed
from mediaserver.store.deletions import Deletions
from mediaserver.store.library import Library
from mediaserver.store.objects import Objects
from mediaserver.store.offload import Offload
from mediaserver.store.procedures import Procedures
from mediaserver.store.recordings import Recordings
from mediaserver.store.rooms import load_or_make_key
from mediaserver.store.schema import FILE_NAME, MIGRATIONS
from mediaserver.tasks import end_tasks
from mediaserver.vault import NoMasterKey, Vault

ROOM_KEY_FILE: Final = "rooms.key"
CLOSE_SECONDS: Final = 10.0
"""For what waits to be written at the end."""

_log = structlog.stdlib.get_logger(__name__)


def recording_roots(settings: Settings) -> tuple[Path, ...]:
    """Folders that hold recordings, the usual one first."""
    second = settings.recording.second_folder
    return (settings.data.folder / "recordings", *(() if second is None else (second,)))


def _room_key(file: Path, *, wanted: bool) -> bytes | None:
    """Where it was once needed, what it stands for is still found. Raises ``DatabaseFailed``."""
    try:
        return load_or_make_key(file) if wanted or file.exists() else None
    except OSError:
        raise DatabaseFailed(f"{file.name} cannot be used") from None


class Runs(Protocol):
    """Work beside the live sessions."""

    async def run(self) -> None:
        """Until cancelled."""


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
    _deletions: Deletions | None = None
    offload: Offload | None = None
    """None without object storage."""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    roots: tuple[Path, ...] = ()
    """Folders that hold recordings."""
    _works: list[Runs] = field(default_factory=list)
    _writing: asyncio.Task[None] | None = field(default=None)

    @classmethod
    def open(cls, settings: Settings) -> Store:
        """Raises ``DatabaseFailed``, ``MigrationFailed``; ``InvalidSettings`` for a key that is unusable."""
        try:
            vault = Vault.open(settings)
        except NoMasterKey:
            vault = None
        database = Database.open(settings.data.folder / FILE_NAME, MIGRATIONS)
        room_key = _room_key(settings.data.folder / ROOM_KEY_FILE, wanted=vault is None)
        audit = AuditTrail(database, vault, room_key)
        if vault is None:
            return cls(database, None, audit)
        procedures = Procedures(database, vault, audit)
        recordings = Recordings(database, vault, audit, settings.retention)
        objects = Objects.open(settings.storage)
        roots = recording_roots(settings)
        return cls(
            database,
            vault,
            audit,
            procedures,
            Consents(database, vault, audit),
            recordings,
            Bookmarks(database, vault, audit),
            Deletions(database, vault, audit, roots, objects),
            None if objects is None else Offload(database, recordings, objects, roots),
            roots=roots,
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
    def deletions(self) -> Deletions:
        """Raises ``NoMasterKey``."""
        if self._deletions is None:
            raise NoMasterKey
        return self._deletions

    @property
    def bookmarks(self) -> Bookmarks:
        """Raises ``NoMasterKey``."""
        if self._bookmarks is None:
            raise NoMasterKey
        return self._bookmarks

    @property
    def library(self) -> Library:
        """Raises ``NoMasterKey``."""
        return Library(self.database, self.procedures, self.bookmarks)

    async def start(self) -> None:
        """Begins to write the audit. Raises ``DatabaseFailed``."""
        key = None if self.vault is None else self.vault.key_id
        self.audit.append(Event.AUDIT_START, actor=SYSTEM, details={"key": key})
        for work in (self._deletions, self.offload, *self._works):
            if work is not None:
                self._run(work.run(), type(work).__name__)
        self._writing = asyncio.get_running_loop().create_task(self.audit.run())

    def keep_running(self, work: Runs) -> None:
        """From ``start`` to ``close``."""
        self._works.append(work)

    def _run(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("work beside the sessions ended", work=task.get_name(), reason=type(error).__name__)

    async def close(self) -> None:
        """Writes what waits, signs the end, closes the file. Idempotent."""
        await end_tasks(self._tasks)
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
