"""One SQLite file, one thread that writes to it in batches, and readers that never wait for it.

WAL with ``synchronous=NORMAL``: a kill loses nothing that was answered, a power cut at most the last moments.
Work is a function over a SQLAlchemy connection; it is committed with whatever else waited, and answered after
the commit. A database that fails answers with an error and goes on trying; it ends no live session.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import structlog
from sqlalchemy import Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from mediaserver.errors import LoupeError
from mediaserver.store.migration import MigrationFailed, upgrade

MAX_QUEUED: Final = 10_000
"""Pieces of work that wait: minutes of a busy server; more is refused and counted."""
MAX_BATCH: Final = 500
"""Pieces of work per commit."""
BUSY_SECONDS: Final = 5.0
"""How long another process (a command of ours) may hold the file."""
READERS: Final = 2
"""For usual reads; those that stop a recording, and those over everything, have one each."""
PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=NORMAL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA secure_delete=ON",  # what is erased is overwritten, not only forgotten
    "PRAGMA trusted_schema=OFF",
)

T = TypeVar("T")
Work = Callable[[Connection], T]

_log = structlog.stdlib.get_logger(__name__)


class DatabaseFailed(LoupeError):
    """The work was not done: disk full, file damaged, held by another process, or the database is closed."""

    code = "database_failed"
    retryable = True
    default = "the database cannot do this now"


class DatabaseBusy(DatabaseFailed):
    """More waits than may wait."""

    code = "database_busy"
    default = "the database is too far behind; try again shortly"


@dataclass(slots=True)
class _Job(Generic[T]):
    work: Work[T]
    future: Future[T] = field(default_factory=Future)
    result: T | None = None
    error: Exception | None = None

    def run(self, connection: Connection) -> None:
        """In a savepoint of its own: what it raises undoes its own work only."""
        self.result = self.error = None
        try:
            with connection.begin_nested():
                self.result = self.work(connection)
        except (IntegrityError, LoupeError, ValueError, LookupError) as error:
            self.error = error

    def answer(self) -> None:
        if self.future.set_running_or_notify_cancel():
            if self.error is None:
                self.future.set_result(self.result)  # type: ignore[arg-type] # of this very work
            else:
                self.future.set_exception(self.error)


class Database:
    """A file and its writer. Made by ``open``; every method may be called from any thread."""

    def __init__(self, writer: Engine, reader: Engine, name: str) -> None:
        self._writer = writer
        self._reader = reader
        self._queue: queue.Queue[_Job[Any] | None] = queue.Queue(MAX_QUEUED)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix=f"{name}-read")
        self._prompt = ThreadPoolExecutor(1, thread_name_prefix=f"{name}-prompt")
        self._long = ThreadPoolExecutor(1, thread_name_prefix=f"{name}-long")
        self._gate = threading.Lock()
        self._closed = False
        self.counts: Counter[str] = Counter()
        """``written``, ``commits``, ``failed``, ``refused``."""
        self._thread = threading.Thread(target=self._run, name=f"{name}-write", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, path: Path, migrations: Path) -> Database:
        """Makes or upgrades the file (mode 0600), then starts its writer.

        Raises ``DatabaseFailed``; ``MigrationFailed`` for a file that a newer version wrote.
        """
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            writer = _engine(path, read_only=False)
            upgrade(writer, migrations)
        except MigrationFailed:
            raise
        except (SQLAlchemyError, OSError) as error:
            raise DatabaseFailed(f"the database {path.name} cannot be opened: {_reason(error)}") from error
        return cls(writer, _engine(path, read_only=True), path.stem)

    # ---- Work ----

    def submit(self, work: Work[T]) -> Future[T]:
        """Queues a write. It may run twice, if what it was batched with fails. Raises ``DatabaseBusy``."""
        job = _Job(work)
        with self._gate:
            if self._closed:
                raise DatabaseFailed("the database is closed")
            try:
                self._queue.put_nowait(job)
            except queue.Full:
                self.counts["refused"] += 1
                raise DatabaseBusy from None
        return job.future

    async def write(self, work: Work[T]) -> T:
        """Done and committed. Raises what the work raises, ``DatabaseFailed``, ``DatabaseBusy``."""
        return await asyncio.wrap_future(self.submit(work))

    async def read(self, work: Work[T]) -> T:
        """On a connection that cannot write, in a thread. Raises what the work raises, ``DatabaseFailed``."""
        return await self._read(self._readers, work)

    async def read_promptly(self, work: Work[T]) -> T:
        """As ``read``, for short work that waits for none of the others: what a patient decided."""
        return await self._read(self._prompt, work)

    async def read_at_length(self, work: Work[T]) -> T:
        """As ``read``, for work that takes seconds: one after the other, and nothing else waits for it."""
        return await self._read(self._long, work)

    async def _read(self, readers: ThreadPoolExecutor, work: Work[T]) -> T:
        if self._closed:
            raise DatabaseFailed("the database is closed")
        return await asyncio.get_running_loop().run_in_executor(readers, self.read_now, work)

    def read_now(self, work: Work[T]) -> T:
        """As ``read``, in the calling thread."""
        try:
            with self._reader.connect() as connection:
                return work(connection)
        except DBAPIError as error:
            raise DatabaseFailed(f"the database cannot be read: {_reason(error)}") from error

    def close(self) -> None:
        """Does what waits, then ends. Idempotent."""
        with self._gate:
            if self._closed:
                return
            self._closed = True
        self._queue.put(None)
        self._thread.join()
        for readers in (self._readers, self._prompt, self._long):
            readers.shutdown(wait=True, cancel_futures=readers is self._long)
        self._writer.dispose()
        self._reader.dispose()

    @property
    def queued(self) -> int:
        """Pieces of work that wait."""
        return self._queue.qsize()

    # ---- The writer's thread ----

    def _run(self) -> None:
        while batch := self._take():
            if not self._commit(batch):
                # One may be to blame for all: each by itself.
                for job in batch:
                    self._commit([job], last=True)

    def _take(self) -> list[_Job[Any]]:
        """What waits, at least one; nothing once closed and empty."""
        batch: list[_Job[Any]] = []
        job = self._queue.get()
        while job is not None:
            batch.append(job)
            if len(batch) == MAX_BATCH:
                return batch
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                return batch
        if batch:
            self._queue.put(None)  # the end comes after what came before it
        return batch

    def _commit(self, batch: list[_Job[Any]], *, last: bool = False) -> bool:
        """False if nothing of it is done and nobody was answered."""
        try:
            with self._transaction() as connection:
                for job in batch:
                    job.run(connection)
        except Exception as error:  # whatever a piece of work raises must not end the writer
            if not last and len(batch) > 1:
                return False
            self.counts["failed"] += len(batch)
            reason = _reason(error)
            _log.error("database write failed", reason=reason)
            failure = DatabaseFailed(f"the database cannot do this now: {reason}")
            failure.__cause__ = error
            for job in batch:
                job.error = failure
        else:
            self.counts["commits"] += 1
            self.counts["written"] += len(batch)
        for job in batch:
            job.answer()
        return True

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._writer.connect() as connection, connection.begin():
            yield connection


def _reason(error: BaseException) -> str:
    """What SQLite says, without statement or values: they may hold what no log shall."""
    original = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(original, OSError):
        return original.strerror or "failed"
    return str(original) if type(original).__module__ == "sqlite3" else type(original).__name__


def _engine(path: Path, *, read_only: bool) -> Engine:
    mode = "ro" if read_only else "rw"
    engine = create_engine(
        f"sqlite:///file:{path.resolve()}?mode={mode}&uri=true",
        connect_args={"check_same_thread": False, "timeout": BUSY_SECONDS},
        poolclass=QueuePool,
        pool_size=READERS + 2 if read_only else 1,
        max_overflow=0,
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        for pragma in ("PRAGMA query_only=ON",) if read_only else PRAGMAS:
            connection.execute(pragma)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # The lock is taken at once: a transaction that read first could not be promoted later.
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine
