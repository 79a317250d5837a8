"""Reads the history: pages of samples, events, spans and alerts; samples as CSV."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import tzinfo
from typing import Any

import msgspec

from mediaserver.errors import MalformedCursor
from mediaserver.operations.model import (
    Alert,
    AlertPage,
    HistoryPage,
    LegSample,
    RoomSpan,
    RoomSpanPage,
    Sample,
    SourceSample,
    TimelineEvent,
    TimelinePage,
    ViewSample,
)
from mediaserver.quality_history.database import Database, Row
from mediaserver.quality_history.rows import read_alerts, read_events, read_second
from mediaserver.quality_history.store import OF_FINDINGS
from mediaserver.zones import iso

ROWS_AT_ONCE = 300
"""Room seconds fetched at a time: a page is filled from as many as it needs."""
MAX_LOOKED = 20_000
"""Samples unpacked for one page, also for one person of a large room: a second's work of one core at most."""

_IN_SPAN = "SELECT {columns} FROM {table} AS it JOIN span ON span.id = it.span WHERE span.room IN ({rooms})"
_FINDINGS = (
    "SELECT it.span, span.closed_ms, it.content FROM span JOIN event AS it ON it.span = span.id"
    " WHERE span.room IN ({rooms}) AND span.opened_ms < ? AND coalesce(span.closed_ms, ?) >= ?"
    " AND it.at_ms < ? AND {of_findings}"
    " ORDER BY it.at_ms DESC, it.id DESC LIMIT ?"
)
_DROPPED = "SELECT max(before_ms) FROM dropped"
_SPANS = (
    "SELECT opened_ms, id, room, clinical_class, closed_ms FROM span"
    " WHERE opened_ms < ? AND coalesce(closed_ms, ?) >= ? AND (? IS NULL OR room IN ({rooms}))"
    " AND (? < 0 OR (opened_ms, id) < (?, ?)) ORDER BY opened_ms DESC, id DESC LIMIT ?"
)
_ALERTS = (
    "SELECT raised_ms, rowid, content FROM alert WHERE raised_ms >= ? AND raised_ms < ?"
    " AND (? IS NULL OR room IN ({rooms})) AND (? < 0 OR (raised_ms, rowid) < (?, ?))"
    " ORDER BY raised_ms DESC, rowid DESC LIMIT ?"
)


def after(cursor: str | None) -> tuple[int, int]:
    """Where a page ended: a time and a row. Raises ``MalformedCursor``."""
    if cursor is None:
        return -1, -1
    first, _, second = cursor.partition(".")
    if (
        not (first.isascii() and first.isdigit() and second.isascii() and second.isdigit())
        or len(cursor) > 40
    ):
        raise MalformedCursor
    return int(first), int(second)


async def samples(
    database: Database,
    room: str,
    from_ms: int,
    to_ms: int,
    *,
    participant: str | None = None,
    limit: int = 1000,
    cursor: str | None = None,
) -> HistoryPage:
    """At least ``limit`` samples, or what ``MAX_LOOKED`` of the room hold; a second is never split."""
    place = after(cursor)
    return await asyncio.to_thread(_samples, database, room, (from_ms, to_ms), place, participant, limit)


def _samples(
    database: Database,
    room: str,
    span: tuple[int, int],
    place: tuple[int, int],
    participant: str | None,
    limit: int,
) -> HistoryPage:
    """Blocks: reading and unpacking are much work."""
    found: list[Sample] = []
    looked = 0
    ended = True
    for at_ms, row, content in _seconds(database, room, span, place):
        if len(found) >= limit or looked >= MAX_LOOKED:
            ended = False
            break
        place = (at_ms, row)
        second = read_second(content)
        looked += len(second)
        found += [one for one in second if participant in (None, one.participant)]
    [(dropped,)] = database.read_now(_DROPPED)
    return HistoryPage(samples=found, next=None if ended else _cursor(place), dropped_before_ms=dropped)


def _seconds(
    database: Database, room: str, span: tuple[int, int], place: tuple[int, int]
) -> Iterator[tuple[int, int, bytes]]:
    """Time, row and content, in order."""
    held, marks = _held(database, room)
    statement = (
        _IN_SPAN.format(columns="it.at_ms, it.rowid, it.content", table="sample", rooms=marks)
        + " AND it.at_ms >= ? AND it.at_ms < ? AND (it.at_ms, it.rowid) > (?, ?)"
        " ORDER BY it.at_ms, it.rowid LIMIT ?"
    )
    while True:
        rows = database.read_now(statement, (*held, *span, *place, ROWS_AT_ONCE))
        for at_ms, row, content in rows:
            place = (at_ms, row)
            yield at_ms, row, content
        if len(rows) < ROWS_AT_ONCE:
            return


async def timeline(
    database: Database, room: str, from_ms: int, to_ms: int, *, limit: int = 500, cursor: str | None = None
) -> TimelinePage:
    """Oldest first."""
    held, marks = _held(database, room)
    rows = await database.read(
        _IN_SPAN.format(columns="it.at_ms, it.id, it.content", table="event", rooms=marks)
        + " AND it.at_ms >= ? AND it.at_ms < ? AND (it.at_ms, it.id) > (?, ?)"
        " ORDER BY it.at_ms, it.id LIMIT ?",
        (*held, from_ms, to_ms, *after(cursor), limit + 1),
    )
    events = await asyncio.to_thread(read_events, [row[2] for row in rows[:limit]])
    [(dropped,)] = await database.read(_DROPPED)
    return TimelinePage(events=events, next=_next(rows, limit), dropped_before_ms=dropped)


async def findings(
    database: Database, room: str, from_ms: int, to_ms: int, *, limit: int
) -> list[tuple[list[TimelineEvent], int | None]]:
    """For each standing of the room that reaches into the time asked for: the finding events from its
    beginning to ``to_ms``, oldest first, and when it ended, if it has. The newest ``limit`` of all."""
    held, marks = _held(database, room)
    rows = await database.read(
        _FINDINGS.format(rooms=marks, of_findings=OF_FINDINGS), (*held, to_ms, to_ms, from_ms, to_ms, limit)
    )
    found: dict[tuple[int, int | None], list[bytes]] = {}
    for span, closed_ms, content in reversed(rows):
        found.setdefault((span, closed_ms), []).append(content)
    return [
        (await asyncio.to_thread(read_events, contents), closed_ms)
        for (_, closed_ms), contents in found.items()
    ]


async def spans(
    database: Database,
    from_ms: int,
    to_ms: int,
    *,
    room: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> RoomSpanPage:
    """Rooms that stood at any moment of the time asked for, newest first; ``room`` None: all.

    Only who knows a name finds a room by it where no key opens it (``store/rooms.py``).
    """
    place = after(cursor)
    held, marks = _held(database, room)
    rows = await database.read(
        _SPANS.format(rooms=marks),
        (to_ms, to_ms, from_ms, room, *held, place[0], *place, limit + 1),
    )
    found = [
        RoomSpan(
            span=row[1],
            room=database.rooms.reveal(row[2]) if room is None else room,
            clinical_class=row[3],
            opened_ms=row[0],
            closed_ms=row[4],
        )
        for row in rows[:limit]
    ]
    return RoomSpanPage(spans=found, next=_next(rows, limit))


async def alerts(
    database: Database,
    from_ms: int,
    to_ms: int,
    *,
    room: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> AlertPage:
    """Newest first; ``room`` None: all."""
    place = after(cursor)
    held, marks = _held(database, room)
    rows = await database.read(
        _ALERTS.format(rooms=marks),
        (from_ms, to_ms, room, *held, place[0], *place, limit + 1),
    )
    readable = await asyncio.to_thread(read_alerts, [row[2] for row in rows[:limit]])
    found = [_revealed(database, one) for one in readable]
    return AlertPage(alerts=found, next=_next(rows, limit))


def _held(database: Database, room: str | None) -> tuple[tuple[str, ...], str]:
    """What rows may hold for a room's name, and as many marks."""
    held = () if room is None else database.rooms.held(room)
    return held, ", ".join("?" * len(held))


def _revealed(database: Database, alert: Alert) -> Alert:
    if alert.room is None:
        return alert
    return msgspec.structs.replace(alert, room=database.rooms.reveal(alert.room))


def _cursor(place: tuple[int, int]) -> str:
    return f"{place[0]}.{place[1]}"


def _next(rows: Sequence[Row], limit: int) -> str | None:
    return _cursor((rows[limit - 1][0], rows[limit - 1][1])) if len(rows) > limit else None


# ---- CSV ----

_LEG, _SOURCE, _VIEW = (list(kind.__struct_fields__) for kind in (LegSample, SourceSample, ViewSample))
_FIGURES = list(dict.fromkeys([*_LEG, *_SOURCE, *_VIEW]))
COLUMNS = ["at_ms", "time", "participant", "role", "connected", "part", *_FIGURES]
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula; an id may begin so."""


def csv_head(from_ms: int, dropped_before_ms: int | None, zone: tzinfo) -> str:
    """The first line (RFC 4180), and one of the part ``dropped_before`` where older ones are gone."""
    lines: list[list[Any]] = [COLUMNS]
    if dropped_before_ms is not None and dropped_before_ms > from_ms:
        told = [dropped_before_ms, iso(dropped_before_ms, zone), "", "", "", "dropped_before"]
        lines.append(told + [""] * len(_FIGURES))
    return _csv(lines)


def csv_lines(found: Sequence[Sample], zone: tzinfo) -> str:
    """A line for each leg, source and view of each sample; ``time`` in ``zone``."""
    return _csv(line for sample in found for line in _lines(sample, zone))


def _csv(lines: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue()


def _lines(sample: Sample, zone: tzinfo) -> Iterator[list[Any]]:
    whose = [
        sample.at_ms,
        iso(sample.at_ms, zone),
        _safe(sample.participant),
        sample.role.value,
        int(sample.connected),
    ]
    for part, figures in _parts(sample):
        yield [*whose, part, *(_safe(getattr(figures, name, None)) for name in _FIGURES)]


def _parts(sample: Sample) -> Iterator[tuple[str, LegSample | SourceSample | ViewSample]]:
    if sample.up is not None:
        yield "up", sample.up
    yield from (("source", source) for source in sample.sources)
    if sample.down is not None:
        yield "down", sample.down
    yield from (("view", view) for view in sample.views)


def _safe(value: Any) -> Any:
    match value:
        case None:
            return ""
        case bool():
            return int(value)
        case tuple():
            return " ".join(str(one) for one in value)
        case str() if value.startswith(_FORMULA):
            return f"'{value}"
        case _:
            return value
