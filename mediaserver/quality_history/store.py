"""What was sampled, happened, was alerted: kept for thirty days, thinned after one, bounded in size.

One row holds a whole room's second: participants of a room share most of their samples' words, so that it
packs well. The oldest rows go first, by age or when the file is full; how many is counted, and every page
says from when on the history is whole.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from mediaserver.clinical import USUAL, ClinicalClass
from mediaserver.operations.model import Alert, Sample, TimelineEvent
from mediaserver.quality_history.database import Database
from mediaserver.quality_history.rows import UNREADABLE, encode, pack, read_alerts, unpack
from mediaserver.quality_history.thinning import thinned
from mediaserver.store.rooms import RoomNames

Table = Literal["sample", "event"]
DAY_MS = 86_400_000
THIN_AFTER_MS = DAY_MS
THIN_STEP_MS = 10_000
THIN_ROWS = 2_000
"""Rows thinned at a time: four times what fifty rooms make in the ten seconds between."""
HOUSEKEEPING_SECONDS = 10.0
DROP_ROWS = 5_000

_DROP: dict[Table, str] = {
    "sample": "DELETE FROM sample WHERE at_ms < ?",
    "event": "DELETE FROM event WHERE at_ms < ?",
}
OF_FINDINGS = "instr(content, CAST('finding_' AS BLOB)) > 0"
"""What tells events of findings from others; the index of them has it so."""

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS span (
    id INTEGER PRIMARY KEY, room TEXT NOT NULL, clinical_class TEXT NOT NULL,
    opened_ms INTEGER NOT NULL, closed_ms INTEGER
);
CREATE INDEX IF NOT EXISTS span_room ON span (room, opened_ms);
CREATE INDEX IF NOT EXISTS span_opened ON span (opened_ms);
CREATE TABLE IF NOT EXISTS sample (
    span INTEGER NOT NULL, at_ms INTEGER NOT NULL, thin INTEGER NOT NULL, content BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS sample_span ON sample (span, at_ms);
CREATE INDEX IF NOT EXISTS sample_at ON sample (at_ms);
CREATE INDEX IF NOT EXISTS sample_thin ON sample (thin, at_ms);
CREATE TABLE IF NOT EXISTS event (
    id INTEGER PRIMARY KEY, span INTEGER NOT NULL, at_ms INTEGER NOT NULL, content BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS event_span ON event (span, at_ms);
CREATE INDEX IF NOT EXISTS event_at ON event (at_ms);
CREATE INDEX IF NOT EXISTS event_finding ON event (span, at_ms) WHERE {OF_FINDINGS};
CREATE TABLE IF NOT EXISTS alert (
    id TEXT PRIMARY KEY, room TEXT, raised_ms INTEGER NOT NULL, cleared_ms INTEGER, content BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS alert_raised ON alert (raised_ms);
CREATE TABLE IF NOT EXISTS dropped (before_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS delivery (
    id TEXT NOT NULL, target TEXT NOT NULL, body BLOB NOT NULL, attempts INTEGER NOT NULL,
    due_ms INTEGER NOT NULL, made_ms INTEGER NOT NULL, PRIMARY KEY (id, target)
);
"""
VERSION = 2


@dataclass(frozen=True, slots=True)
class Left:
    """What the process before left: alerts, the oldest first, and when it last sampled (0: never)."""

    alerts: list[Alert]
    last_ms: int


class HistoryStore:
    """Writes; ``query.py`` reads. Every method but ``start`` and ``stop`` returns at once."""

    def __init__(
        self,
        path: Path,
        rooms: RoomNames,
        *,
        max_bytes: int,
        keep_days: float,
    ) -> None:
        self.database = Database(path, SCHEMA, VERSION, rooms)
        self.dropped: dict[Table, Counter[str]] = {"sample": Counter(), "event": Counter()}
        """Rows taken away before their time or at it: ``full``, ``expired``, ``unreadable``."""
        self._max_bytes = max_bytes
        self._keep_ms = int(keep_days * DAY_MS)
        self._next_span = 1
        self._kept_at = 0.0

    def start(self, now_ms: int, recent_ms: int = 0) -> Left:
        """Opens the file; rooms that stood when the process before ended end at their last sample.

        Gives the alerts that it left open, and those raised no longer than ``recent_ms`` ago.
        """
        self.database.start()
        highest = self.database.read_now("SELECT max(id) FROM span")[0][0]
        self._next_span = (highest or 0) + 1
        self.database.write(
            "UPDATE span SET closed_ms = coalesce("
            "(SELECT max(at_ms) FROM sample WHERE sample.span = span.id), opened_ms)"
            " WHERE closed_ms IS NULL AND opened_ms <= ?",
            (now_ms,),
        )
        read = self.database.read_now
        last_ms = read("SELECT max(at_ms) FROM sample")[0][0] or 0
        rows = read(
            "SELECT content FROM alert WHERE raised_ms <= ? AND (cleared_ms IS NULL OR raised_ms > ?)"
            " ORDER BY raised_ms",
            (now_ms, now_ms - recent_ms),
        )
        return Left([self._revealed(one) for one in read_alerts([content for (content,) in rows])], last_ms)

    def _revealed(self, alert: Alert) -> Alert:
        room = None if alert.room is None else self.database.rooms.reveal(alert.room)
        return msgspec.structs.replace(alert, room=room)

    def stop(self) -> None:
        """Writes what waits; blocks. Idempotent."""
        self.database.stop()

    @property
    def lost(self) -> int:
        """Writes that were not done, and rows taken away before their time."""
        before_time = sum(rows.total() - rows["expired"] for rows in self.dropped.values())
        return sum(self.database.refused.values()) + before_time

    # ---- What is written ----

    def open_span(self, room: str, clinical_class: ClinicalClass | None, at_ms: int) -> int:
        """A room came into being; the number its rows bear."""
        span = self._next_span
        self._next_span += 1
        self.database.write(
            "INSERT INTO span VALUES (?, ?, ?, ?, NULL)",
            (span, self.database.rooms.kept(room), clinical_class or USUAL, at_ms),
        )
        return span

    def reclassify(self, span: int, clinical_class: ClinicalClass) -> None:
        """A more urgent token came."""
        self.database.write("UPDATE span SET clinical_class = ? WHERE id = ?", (clinical_class, span))

    def close_span(self, span: int, at_ms: int) -> None:
        """The room ended."""
        self.database.write("UPDATE span SET closed_ms = ? WHERE id = ?", (at_ms, span))

    def add_samples(self, span: int, at_ms: int, samples: Sequence[Sample]) -> None:
        """One second of a room; packed by the writer thread."""

        def insert(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT INTO sample VALUES (?, ?, 0, ?)", (span, at_ms, pack(samples)))

        if samples:
            self.database.run(insert, sum(2 + len(one.sources) + len(one.views) for one in samples))

    def add_events(self, span: int, events: Sequence[TimelineEvent]) -> None:
        """What happened in a room."""
        if events:
            self.database.write(
                "INSERT INTO event (span, at_ms, content) VALUES (?, ?, ?)",
                *((span, event.at_ms, encode(event)) for event in events),
            )

    def put_alert(self, alert: Alert) -> None:
        """New, or changed."""
        kept = msgspec.structs.replace(alert, room=self.database.rooms.kept(alert.room))
        self.database.write(
            "INSERT OR REPLACE INTO alert VALUES (?, ?, ?, ?, ?)",
            (alert.id, kept.room, alert.raised_ms, alert.cleared_ms, encode(kept)),
        )

    # ---- What is taken away ----

    def keep_house(self, now: float, now_ms: int) -> None:
        """Thins, expires and bounds, now and then however often it is called. ``now``: any steady clock."""
        if now - self._kept_at >= HOUSEKEEPING_SECONDS:
            self._kept_at = now
            self.database.run(lambda connection: self._clean(connection, now_ms))

    def _clean(self, connection: sqlite3.Connection, now_ms: int) -> None:
        self._thin(connection, now_ms - THIN_AFTER_MS)
        self._expire(connection, now_ms - self._keep_ms)
        while self._bytes(connection) > self._max_bytes and self._drop_oldest(connection):
            pass

    def _thin(self, connection: sqlite3.Connection, before_ms: int) -> None:
        rows = connection.execute(
            "SELECT rowid, span, at_ms, content FROM sample WHERE thin = 0 AND at_ms < ?"
            " ORDER BY at_ms LIMIT ?",
            (before_ms - before_ms % THIN_STEP_MS, THIN_ROWS),
        ).fetchall()
        if len(rows) == THIN_ROWS:
            # The last window may go on in rows that were not read.
            last = rows[-1][2] // THIN_STEP_MS
            rows = [row for row in rows if row[2] // THIN_STEP_MS < last] or rows
        windows: dict[tuple[int, int], list[list[Sample]]] = {}
        for _, span, at_ms, content in rows:
            try:
                samples = unpack(content)
            except UNREADABLE:
                # It goes, or every housekeeping would fail at it.
                self.dropped["sample"]["unreadable"] += 1
                continue
            windows.setdefault((span, at_ms // THIN_STEP_MS), []).append(samples)
        thin = [
            (span, window * THIN_STEP_MS, pack(_each_thinned(seconds)))
            for (span, window), seconds in windows.items()
        ]
        connection.executemany("DELETE FROM sample WHERE rowid = ?", [(row[0],) for row in rows])
        connection.executemany("INSERT INTO sample VALUES (?, ?, 1, ?)", thin)

    def _expire(self, connection: sqlite3.Connection, before_ms: int) -> None:
        self._drop(connection, before_ms, "expired")
        connection.execute("DELETE FROM alert WHERE raised_ms < ?", (before_ms,))
        connection.execute("DELETE FROM span WHERE closed_ms < ?", (before_ms,))

    def _drop_oldest(self, connection: sqlite3.Connection) -> bool:
        """Makes room; False when there is nothing left to take away."""
        oldest = "SELECT at_ms FROM sample ORDER BY at_ms LIMIT 1 OFFSET ?"
        bound = connection.execute(oldest, (DROP_ROWS,)).fetchone()
        newest = connection.execute("SELECT coalesce(max(at_ms), 0) FROM sample").fetchone()
        limit_ms = bound[0] if bound is not None else newest[0] + 1
        return self._drop(connection, limit_ms, "full") and bound is not None

    def _drop(self, connection: sqlite3.Connection, before_ms: int, reason: str) -> bool:
        """Takes away what is older, counts and remembers it; whether there was anything."""
        any_gone = False
        for table, statement in _DROP.items():
            gone = connection.execute(statement, (before_ms,)).rowcount
            self.dropped[table][reason] += gone
            any_gone |= gone > 0
        if any_gone:
            _remember_drop(connection, before_ms)
        return any_gone

    @staticmethod
    def _bytes(connection: sqlite3.Connection) -> int:
        """Of pages in use: the file keeps the others for what comes next."""
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)


def _each_thinned(seconds: Sequence[Sequence[Sample]]) -> list[Sample]:
    by_participant: dict[str, list[Sample]] = {}
    for samples in seconds:
        for sample in samples:
            by_participant.setdefault(sample.participant, []).append(sample)
    return [thinned(samples) for samples in by_participant.values()]


def _remember_drop(connection: sqlite3.Connection, before_ms: int) -> None:
    connection.execute("DELETE FROM dropped WHERE before_ms <= ?", (before_ms,))
    connection.execute("INSERT INTO dropped VALUES (?)", (before_ms,))
