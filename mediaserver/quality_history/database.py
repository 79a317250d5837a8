"""An SQLite file with one writer thread: who writes never waits for the disk, who reads never for writers.

Writes are collected and committed together, at most once a second. What waits is bounded, in number and in
weight: when the disk does not keep up, what comes then is refused and counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import structlog

from mediaserver.errors import HistoryUnavailable
from mediaserver.store.rooms import RoomNames

Work: TypeAlias = Callable[[sqlite3.Connection], None]
Row: TypeAlias = tuple[Any, ...]
Weighed: TypeAlias = tuple[Work, int]

MAX_QUEUED = 20_000
"""Writes that may wait: more than a minute's worth of fifty busy rooms."""
MAX_WEIGHT = 500_000
"""Of all writes that are not committed: about 100 MB, when a unit of weight is 200 bytes."""
COMMIT_SECONDS = 1.0
MAX_TOGETHER = 5_000
STOP_SECONDS = 20.0
"""A disk that has not taken the last writes by then keeps no server from ending."""
BUSY_MS = 5_000

_log = structlog.stdlib.get_logger(__name__)


_NO_ROOMS: Final = RoomNames(None)


class Database:
    """One file. ``schema`` makes its tables when the file is new or older than ``version`` of it."""

    def __init__(
        self,
        path: Path,
        schema: str,
        version: int,
        rooms: RoomNames = _NO_ROOMS,
        *,
        max_queued: int = MAX_QUEUED,
        max_weight: int = MAX_WEIGHT,
    ) -> None:
        self.path = path
        self.rooms = rooms
        """How rows hold rooms' names."""
        self.refused: Counter[str] = Counter()
        """Writes that were not done, by reason."""
        self._schema = schema
        self._version = version
        self._queue: queue.Queue[Weighed | None] = queue.Queue(max_queued)
        self._max_weight = max_weight
        self._weight = 0
        self._weighing = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def queued(self) -> int:
        """Writes that wait."""
        return self._queue.qsize()

    # ---- Life ----

    def start(self) -> None:
        """Opens or makes the file; one that is damaged is set aside. Idempotent.

        Where that cannot be done either, all writes are refused from then on: raises ``HistoryUnavailable``.
        """
        if self._thread is not None:
            return
        try:
            connection = self._open_or_begin_anew()
        except (OSError, sqlite3.Error) as error:
            self._queue = queue.Queue(1)
            self._queue.put_nowait(None)
            raise HistoryUnavailable(f"the history cannot be opened: {error}") from None
        self._thread = threading.Thread(
            target=self._write_all, args=(connection,), name="history", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Writes what waits, then closes. Blocks, for ``STOP_SECONDS`` at most; idempotent."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        until = time.monotonic() + STOP_SECONDS
        with contextlib.suppress(queue.Full):
            self._queue.put(None, timeout=STOP_SECONDS)
        thread.join(max(0.0, until - time.monotonic()))
        if thread.is_alive():
            _log.error("history ended before everything was written", waiting=self.queued)

    # ---- Reading and writing ----

    def write(self, statement: str, *rows: Sequence[Any]) -> None:
        """Soon, in order. Never raises and never waits: what does not fit or fails is counted."""
        self.run(lambda connection: _execute(connection, statement, rows), len(rows))

    def run(self, work: Work, weight: int = 1) -> None:
        """The same with several statements, on the writer thread; ``weight``: small records that it holds."""
        with self._weighing:
            fits = self._weight == 0 or self._weight + weight <= self._max_weight
            try:
                if not fits:
                    raise queue.Full
                self._queue.put_nowait((work, weight))
                self._weight += weight
            except queue.Full:
                self.refused["queue_full"] += 1

    async def read(self, statement: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """All rows, in a thread, from what was committed."""
        return await asyncio.to_thread(self.read_now, statement, parameters)

    def read_now(self, statement: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """The same, here; blocks. Raises ``HistoryUnavailable``."""
        try:
            connection = sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True)
        except sqlite3.Error as error:
            raise HistoryUnavailable from error
        try:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
            return connection.execute(statement, parameters).fetchall()
        except sqlite3.Error as error:
            raise HistoryUnavailable from error
        finally:
            connection.close()

    async def flush(self) -> None:
        """Returns when everything written before is committed."""
        mark = _Flush()
        self._queue.put_nowait((mark, 0))
        await asyncio.to_thread(mark.done.wait)

    # ---- The writer thread ----

    def _open_or_begin_anew(self) -> sqlite3.Connection:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            return self._open()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            aside = self.path.with_suffix(f".damaged-{int(time.time())}")
            _log.error("history cannot be read and was set aside", kept=aside.name)
            for suffix in ("", "-wal", "-shm"):
                part = self.path.with_name(self.path.name + suffix)
                if part.exists():
                    part.rename(aside.with_name(aside.name + suffix))
            return self._open()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None)
        try:
            self.path.chmod(0o600)
            connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            if connection.execute("PRAGMA user_version").fetchone()[0] < self._version:
                connection.executescript(self._schema)
                connection.execute(f"PRAGMA user_version = {self._version}")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except BaseException:
            connection.close()
            raise
        return connection

    def _write_all(self, connection: sqlite3.Connection) -> None:
        ended = False
        while not ended:
            weighed, ended = self._collect()
            self._commit(connection, [work for work, _ in weighed])
            with self._weighing:
                self._weight -= sum(weight for _, weight in weighed)
        connection.close()

    def _collect(self) -> tuple[list[Weighed], bool]:
        """What came within a commit's time; whether it was the last."""
        first = self._queue.get()
        if first is None:
            return [], True
        works: list[Weighed] = [first]
        until = time.monotonic() + COMMIT_SECONDS
        while (
            len(works) < MAX_TOGETHER
            and not isinstance(works[-1][0], _Flush)
            and (left := until - time.monotonic()) > 0
        ):
            try:
                work = self._queue.get(timeout=left)
            except queue.Empty:
                break
            if work is None:
                return works, True
            works.append(work)
        return works, False

    def _commit(self, connection: sqlite3.Connection, works: list[Work]) -> None:
        try:
            connection.execute("BEGIN")
        except sqlite3.Error as error:
            self.refused["failed"] += len(works)
            _log.error("history cannot be written", reason=str(error))
            return
        for work in works:
            try:
                work(connection)
            except sqlite3.Error as error:
                self.refused["failed"] += 1
                _log.error("history write failed", reason=str(error))
            except Exception:
                # Whatever one work is wrong about, those after it are written.
                self.refused["failed"] += 1
                _log.exception("history write failed")
        try:
            if connection.in_transaction:
                connection.execute("COMMIT")
        except sqlite3.Error as error:
            self.refused["failed"] += len(works)
            _log.error("history commit failed", reason=str(error))
            if connection.in_transaction:
                connection.execute("ROLLBACK")


def _execute(connection: sqlite3.Connection, statement: str, rows: Sequence[Sequence[Any]]) -> None:
    connection.executemany(statement, rows)


class _Flush:
    """The last work of its batch: the commit does not wait for more."""

    def __init__(self) -> None:
        self.done = threading.Event()

    def __call__(self, connection: sqlite3.Connection) -> None:
        try:
            if connection.in_transaction:
                connection.execute("COMMIT")
            connection.execute("BEGIN")
        finally:
            self.done.set()
