"""The history: kept, thinned after a day, expired, bounded, whole after a crash."""

from __future__ import annotations

import asyncio
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec import to_builtins
from msgspec.structs import replace

from mediaserver.clinical import ClinicalClass
from mediaserver.operations.model import TimelineEvent
from mediaserver.quality_history import query, store
from mediaserver.quality_history.database import MAX_WEIGHT
from mediaserver.quality_history.rows import pack
from mediaserver.quality_history.store import DAY_MS, HistoryStore
from tests.mediaserver.alerts.test_webhooks import alert
from tests.mediaserver.seconds import AT_MS, ROOMS, observer, surgeon, view

OTHER_VERSION = zlib.compress(
    msgspec.msgpack.encode([to_builtins(surgeon()) | {"role": "a-role-of-tomorrow"}])
)


def made(folder: Path, max_bytes: int = 1 << 30, keep_days: float = 30) -> HistoryStore:
    history = HistoryStore(folder / "history.db", ROOMS, max_bytes=max_bytes, keep_days=keep_days)
    history.start(AT_MS)
    return history


@pytest.fixture
def history(tmp_path: Path) -> Iterator[HistoryStore]:
    one = made(tmp_path)
    yield one
    one.stop()


def fill(history: HistoryStore, seconds: int, at_ms: int = AT_MS) -> int:
    span = history.open_span("r", ClinicalClass.SURGERY, at_ms)
    for second in range(seconds):
        now = at_ms + second * 1000
        history.add_samples(span, now, [surgeon(now), observer(now, views=(view(freezes=1),))])
    return span


async def test_alerts_that_the_process_before_left_open_or_raised_lately_are_given(tmp_path: Path) -> None:
    before = made(tmp_path)
    fill(before, 3)
    for id, raised_ms, cleared_ms in (
        ("left", AT_MS - DAY_MS, None),
        ("late", AT_MS + 9_000, None),
        ("over", AT_MS, AT_MS + 1),
        ("over lately", AT_MS + 6_000, AT_MS + 7_000),
    ):
        before.put_alert(replace(alert(id), raised_ms=raised_ms, cleared_ms=cleared_ms))
    before.database.write("INSERT INTO alert VALUES ('other', NULL, 1, NULL, ?)", (b"of another version",))
    before.stop()
    history = HistoryStore(tmp_path / "history.db", ROOMS, max_bytes=1 << 30, keep_days=30)
    given = history.start(AT_MS + 10_000, 5_000)
    await asyncio.to_thread(history.stop)
    assert given.last_ms == AT_MS + 2_000
    expected = [("left", None), ("over lately", AT_MS + 7_000), ("late", None)]
    assert [(one.id, one.cleared_ms) for one in given.alerts] == expected
    assert {one.room for one in given.alerts} == {"theatre-1"}


def test_a_large_room_weighs_more_while_nothing_is_written(tmp_path: Path) -> None:
    history = HistoryStore(tmp_path / "history.db", ROOMS, max_bytes=1 << 30, keep_days=30)
    many = [observer(AT_MS, views=(view(),)) for _ in range(1000)]
    for second in range(200):
        history.add_samples(1, AT_MS + second * 1000, many)
    held = MAX_WEIGHT // (3 * len(many))
    assert (history.database.queued, history.database.refused["queue_full"]) == (held, 200 - held)


async def test_a_day_later_ten_seconds_are_one(history: HistoryStore) -> None:
    fill(history, 60)
    history.keep_house(100.0, AT_MS + DAY_MS + 600_000)
    await history.database.flush()
    page = await query.samples(history.database, "r", AT_MS, AT_MS + 600_000)
    assert len(page.samples) == 2 * 6
    assert sum(one.views[0].freezes for one in page.samples if one.views) == 60
    assert history.dropped["sample"]["expired"] == 0


@pytest.mark.parametrize("content", [pack([surgeon()])[:-9], OTHER_VERSION])
async def test_a_row_that_cannot_be_read_goes_and_is_counted(history: HistoryStore, content: bytes) -> None:
    span = fill(history, 20)
    history.database.write("INSERT INTO sample VALUES (?, ?, 0, ?)", (span, AT_MS + 500, content))
    await history.database.flush()
    assert len((await query.samples(history.database, "r", 0, AT_MS + 60_000)).samples) == 40
    for turn in range(2):
        history.keep_house(100.0 * (turn + 1), AT_MS + DAY_MS + 600_000)
    await history.database.flush()
    assert len((await query.samples(history.database, "r", 0, AT_MS + 60_000)).samples) == 4
    assert (history.dropped["sample"]["unreadable"], history.lost) == (1, 1)


async def test_the_last_day_is_not_thinned(history: HistoryStore) -> None:
    fill(history, 20)
    history.keep_house(100.0, AT_MS + DAY_MS // 2)
    await history.database.flush()
    assert len((await query.samples(history.database, "r", AT_MS, AT_MS + 60_000)).samples) == 40


async def test_a_window_on_the_edge_of_a_batch_is_thinned_whole(
    history: HistoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "THIN_ROWS", 15)
    fill(history, 40)
    for turn in range(5):
        history.keep_house(100.0 * (turn + 1), AT_MS + DAY_MS + 600_000)
    await history.database.flush()
    page = await query.samples(history.database, "r", AT_MS, AT_MS + 600_000)
    assert len(page.samples) == 2 * 4
    assert {one.views[0].freezes for one in page.samples if one.views} == {10}


async def test_what_is_past_its_keeping_goes_and_is_said(tmp_path: Path) -> None:
    history = made(tmp_path, keep_days=2)
    span = fill(history, 10)
    history.add_events(span, [TimelineEvent(at_ms=AT_MS, kind="room_opened")])
    history.close_span(span, AT_MS + 10_000)
    now_ms = AT_MS + 3 * DAY_MS
    fill(history, 5, now_ms - 1000)
    history.keep_house(100.0, now_ms)
    await history.database.flush()
    page = await query.samples(history.database, "r", 0, now_ms + 60_000)
    assert len(page.samples) == 10
    assert page.dropped_before_ms == now_ms - 2 * DAY_MS
    told = await query.timeline(history.database, "r", 0, now_ms)
    assert (told.events, told.dropped_before_ms) == ([], page.dropped_before_ms)
    assert (history.dropped["sample"]["expired"], history.dropped["event"]["expired"]) == (1, 1)
    assert history.lost == 0, "its time was over"
    history.stop()


async def test_a_full_store_drops_the_oldest_counts_it_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "DROP_ROWS", 50)
    history = made(tmp_path, max_bytes=200_000)
    span = fill(history, 1500)
    history.add_events(span, [TimelineEvent(at_ms=AT_MS + i * 1000, kind="joined") for i in range(1500)])
    for turn in range(3):
        history.keep_house(100.0 * (turn + 1), AT_MS + 1_500_000)
    await history.database.flush()
    page = await query.samples(history.database, "r", 0, AT_MS + 2_000_000, limit=10_000)
    kept = [one.at_ms for one in page.samples]
    told = await query.timeline(history.database, "r", 0, AT_MS + 2_000_000, limit=2000)
    gone = {table: rows["full"] for table, rows in history.dropped.items()}
    assert gone["sample"] > 0
    assert len(kept) == 2 * (1500 - gone["sample"])
    assert len(told.events) == 1500 - gone["event"] < 1500
    assert history.lost == sum(gone.values())
    assert kept[-1] == AT_MS + 1_499_000
    assert page.dropped_before_ms is not None
    assert page.dropped_before_ms <= min(kept[0], told.events[0].at_ms)
    assert told.dropped_before_ms == page.dropped_before_ms
    history.stop()


async def test_a_room_that_stood_at_a_crash_is_closed_at_its_last_sample(tmp_path: Path) -> None:
    first = made(tmp_path)
    fill(first, 5)
    first.stop()
    second = HistoryStore(tmp_path / "history.db", ROOMS, max_bytes=1 << 30, keep_days=30)
    second.start(AT_MS + 60_000)
    assert second.open_span("again", None, AT_MS + 61_000) == 2
    await second.database.flush()
    spans = (await query.spans(second.database, 0, AT_MS + 100_000)).spans
    assert [(one.room, one.closed_ms) for one in spans] == [("again", None), ("r", AT_MS + 4000)]
    assert [one.clinical_class for one in spans] == ["consult", "surgery"]
    second.stop()


async def test_a_file_of_the_version_before_gets_what_this_one_needs(tmp_path: Path) -> None:
    before = made(tmp_path)
    fill(before, 3)
    before.database.write("DROP INDEX event_finding", ())
    before.stop()
    connection = sqlite3.connect(tmp_path / "history.db")
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    history = made(tmp_path)
    await asyncio.to_thread(history.stop)
    read = history.database.read_now
    assert read("SELECT count(*) FROM sqlite_master WHERE name = 'event_finding'") == [(1,)]
    assert read("SELECT count(*) FROM sample") == [(3,)]
