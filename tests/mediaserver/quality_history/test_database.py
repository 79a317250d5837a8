"""The writer thread: order, bounds, failures, damage."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from mediaserver.errors import HistoryUnavailable
from mediaserver.quality_history import database as database_module
from mediaserver.quality_history.database import Database

SCHEMA = "CREATE TABLE thing (value INTEGER UNIQUE)"


def insert(value: int, connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO thing VALUES (?)", (value,))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "a.db", SCHEMA, 1)
    made.start()
    yield made
    made.stop()


async def test_what_is_written_is_read_in_order(database: Database) -> None:
    for value in range(100):
        database.write("INSERT INTO thing VALUES (?)", (value,))
    await database.flush()
    assert await database.read("SELECT value FROM thing ORDER BY rowid") == [(value,) for value in range(100)]
    assert database.path.stat().st_mode & 0o077 == 0


async def test_a_write_that_fails_is_counted_and_hurts_no_other(database: Database) -> None:
    for value in (1, 1, 2):
        database.write("INSERT INTO thing VALUES (?)", (value,))
    database.write("INSERT INTO nowhere VALUES (1)")
    await database.flush()
    assert await database.read("SELECT value FROM thing") == [(1,), (2,)]
    assert database.refused["failed"] == 2


async def test_a_work_that_is_wrong_is_counted_and_the_writer_goes_on(database: Database) -> None:
    def wrong(_: sqlite3.Connection) -> None:
        raise ValueError

    database.run(wrong)
    database.write("INSERT INTO thing VALUES (?)", (1,))
    await asyncio.wait_for(database.flush(), 10)
    assert await database.read("SELECT value FROM thing") == [(1,)]
    assert database.refused["failed"] == 1


def test_a_disk_that_takes_nothing_keeps_nobody_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "STOP_SECONDS", 0.05)
    database = Database(tmp_path / "a.db", SCHEMA, 1, max_queued=2)
    database.start()
    held, go = threading.Event(), threading.Event()

    def stall(_: sqlite3.Connection) -> None:
        held.set()
        go.wait()

    database.run(stall)
    assert held.wait(10)
    for value in range(5):
        database.run(partial(insert, value))
    database.stop()
    database.stop()
    go.set()


def test_a_full_queue_refuses_and_never_waits(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db", SCHEMA, 1, max_queued=3)
    for value in range(10):
        database.write("INSERT INTO thing VALUES (?)", (value,))
    assert database.refused["queue_full"] == 7
    database.start()
    database.stop()
    assert database.read_now("SELECT count(*) FROM thing") == [(3,)]


def test_what_waits_is_bounded_by_its_weight_until_it_is_committed(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db", SCHEMA, 1, max_weight=100)
    database.start()
    held, go = threading.Event(), threading.Event()

    def stall(_: sqlite3.Connection) -> None:
        held.set()
        go.wait()

    database.run(stall, 60)
    assert held.wait(10)
    for value in range(10):
        database.run(partial(insert, value), 10)
    database.write("INSERT INTO thing VALUES (?)", (100,))
    assert database.refused["queue_full"] == 7, "what the writer holds counts too"
    go.set()
    database.stop()
    assert database.read_now("SELECT value FROM thing") == [(value,) for value in range(4)]


def test_one_too_heavy_for_all_is_written_when_nothing_waits(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db", SCHEMA, 1, max_weight=100)
    database.run(partial(insert, 1), 1000)
    database.run(partial(insert, 2), 1)
    assert database.refused["queue_full"] == 1
    database.start()
    database.stop()
    database.run(partial(insert, 3), 100)
    assert database.refused["queue_full"] == 1, "all weight is given back"


async def test_stopping_writes_what_waits_and_may_be_done_twice(tmp_path: Path) -> None:
    database = Database(tmp_path / "deep" / "a.db", SCHEMA, 1)
    database.start()
    database.write("INSERT INTO thing VALUES (?)", *((value,) for value in range(1000)))
    await asyncio.to_thread(database.stop)
    database.stop()
    assert database.read_now("SELECT count(*) FROM thing") == [(1000,)]


def test_a_damaged_file_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    database = Database(path, SCHEMA, 1)
    database.start()
    database.write("INSERT INTO thing VALUES (1)", ())
    database.stop()
    assert database.read_now("SELECT count(*) FROM thing") == [(1,)]
    assert [kept.read_bytes()[:4] for kept in tmp_path.glob("a.damaged-*")] == [b"this"]


def test_readers_cannot_write(database: Database) -> None:
    with pytest.raises(HistoryUnavailable):
        database.read_now("INSERT INTO thing VALUES (1)")


def test_where_no_file_can_be_everything_is_refused_and_nothing_waits(tmp_path: Path) -> None:
    (tmp_path / "a.db").mkdir()
    database = Database(tmp_path / "a.db", SCHEMA, 1)
    with pytest.raises(HistoryUnavailable):
        database.start()
    for value in range(5):
        database.write("INSERT INTO thing VALUES (?)", (value,))
    assert database.refused["queue_full"] == 5
    with pytest.raises(HistoryUnavailable):
        database.read_now("SELECT 1")
    database.stop()
