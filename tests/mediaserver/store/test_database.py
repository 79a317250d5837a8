"""The database: what it answers is committed, what fails is told, and readers cannot write."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select, text
from sqlalchemy.exc import IntegrityError

from mediaserver.store import database as module
from mediaserver.store.database import Database, DatabaseBusy, DatabaseFailed
from mediaserver.store.migration import MigrationFailed
from mediaserver.store.schema import MIGRATIONS, now, rooms


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(tmp_path / "data" / "loupe.db", MIGRATIONS)
    yield opened
    opened.close()


def add(name: str) -> module.Work[None]:
    def work(connection: Connection) -> None:
        connection.execute(insert(rooms).values(id=name, created_at=now(), last_used_at=now()))

    return work


def block(database: Database) -> tuple[threading.Event, Future[None]]:
    """Keeps the writer busy, alone, until the event is set."""
    taken, hold = threading.Event(), threading.Event()

    def wait(_: Connection) -> None:
        taken.set()
        hold.wait(5)

    future = database.submit(wait)
    assert taken.wait(5)
    return hold, future


def names(connection: Connection) -> list[str]:
    return list(connection.execute(select(rooms.c.id).order_by(rooms.c.id)).scalars())


async def test_prompt_reads_wait_for_no_other_and_long_ones_for_each_other(database: Database) -> None:
    hold, running, most = threading.Event(), [0], [0]

    def wait(_: Connection) -> None:
        running[0] += 1
        most[0] = max(most[0], running[0])
        hold.wait(10)
        running[0] -= 1

    usual = [asyncio.ensure_future(database.read(wait)) for _ in range(4)]
    usual_alone = await database.read_promptly(names)
    hold.set()
    await asyncio.gather(*usual)
    hold.clear()
    most[0] = 0
    long = [asyncio.ensure_future(database.read_at_length(wait)) for _ in range(4)]
    answers = [usual_alone, await database.read(names), await database.read_promptly(names)]
    hold.set()
    await asyncio.gather(*long)
    assert (answers, most) == ([[], [], []], [1])


async def test_what_is_written_can_be_read_and_survives(database: Database, tmp_path: Path) -> None:
    await database.write(add("a"))
    assert await database.read(names) == ["a"]
    database.close()
    database.close()
    with pytest.raises(DatabaseFailed, match="closed"):
        await database.write(add("b"))
    with pytest.raises(DatabaseFailed, match="closed"):
        await database.read(names)
    again = Database.open(tmp_path / "data" / "loupe.db", MIGRATIONS)
    assert again.read_now(names) == ["a"]
    again.close()
    assert (tmp_path / "data" / "loupe.db").stat().st_mode & 0o777 == 0o600


async def test_what_waits_is_committed_together_and_a_refused_piece_undoes_itself_only(
    database: Database,
) -> None:
    hold, first = block(database)
    waiting = [database.submit(add(name)) for name in ("a", "b", "a", "c")]
    assert database.queued == 4
    hold.set()
    outcomes = await asyncio.gather(*map(asyncio.wrap_future, [first, *waiting]), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None)] * 3 + [IntegrityError, type(None)]
    assert await database.read(names) == ["a", "b", "c"]
    assert database.counts["commits"] == 2


async def test_a_piece_that_breaks_its_batch_does_not_take_the_others_along(database: Database) -> None:
    hold, _ = block(database)

    def broken(connection: Connection) -> None:
        add("broken")(connection)
        connection.execute(text("ROLLBACK"))  # as SQLite itself does when the disk is full

    waiting = [database.submit(work) for work in (add("a"), broken, add("b"))]
    hold.set()
    outcomes = await asyncio.gather(*map(asyncio.wrap_future, waiting), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), DatabaseFailed, type(None)]
    assert await database.read(names) == ["a", "b"]
    assert database.counts["failed"] == 1


async def test_a_cancelled_waiter_does_not_stop_the_writer(database: Database) -> None:
    hold, _ = block(database)
    task = asyncio.create_task(database.write(add("a")))
    await asyncio.sleep(0)
    task.cancel()
    hold.set()
    await database.write(add("b"))
    assert "b" in await database.read(names)


async def test_too_much_is_refused_and_counted(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database._queue, "maxsize", 2)
    hold, _ = block(database)
    done = [database.submit(add(name)) for name in ("a", "b")]
    with pytest.raises(DatabaseBusy):
        database.submit(add("c"))
    assert database.counts["refused"] == 1
    hold.set()
    await asyncio.gather(*map(asyncio.wrap_future, done))
    assert await database.read(names) == ["a", "b"]


async def test_readers_cannot_write(database: Database) -> None:
    with pytest.raises(DatabaseFailed, match="readonly"):
        await database.read(add("a"))


async def test_errors_hold_no_values(database: Database) -> None:
    with pytest.raises(DatabaseFailed) as refusal:
        await database.write(lambda connection: connection.execute(text("SELECT 'Nguyen' FROM nowhere")))
    assert "Nguyen" not in refusal.value.message
    await database.write(add("Nguyen"))
    with pytest.raises(IntegrityError) as twice:
        await database.write(add("Nguyen"))
    assert "Nguyen" not in str(twice.value)


async def test_another_process_may_write_too(database: Database, tmp_path: Path) -> None:
    await database.write(add("a"))
    other = sqlite3.connect(tmp_path / "data" / "loupe.db")
    with other:
        other.execute("INSERT INTO rooms VALUES ('other', 0, 0)")
    other.close()
    await database.write(add("b"))
    assert await database.read(names) == ["a", "b", "other"]


def test_a_file_that_is_no_database_or_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.db"
    wrong.write_bytes(b"something else" * 100)
    with pytest.raises(DatabaseFailed, match=r"wrong\.db"):
        Database.open(wrong, MIGRATIONS)
    assert wrong.read_bytes() == b"something else" * 100
    newer = tmp_path / "newer.db"
    Database.open(newer, MIGRATIONS).close()
    with sqlite3.connect(newer) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(MigrationFailed, match="newer version"):
        Database.open(newer, MIGRATIONS)


def test_a_kill_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import sys
        from pathlib import Path
        from mediaserver.store.database import Database
        from mediaserver.store.schema import MIGRATIONS
        from tests.mediaserver.store.test_database import add
        database = Database.open(Path(sys.argv[1]), MIGRATIONS)
        for number in range(100000):
            database.submit(add(f"{number:06}")).result()
            print(number, flush=True)
    """)
    file = tmp_path / "loupe.db"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(file)], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    ) as process:
        assert process.stdout is not None
        answered = [int(process.stdout.readline()) for _ in range(50)][-1]
        process.kill()
    again = Database.open(file, MIGRATIONS)
    kept = again.read_now(names)
    again.close()
    assert len(kept) > answered
    assert kept == [f"{number:06}" for number in range(len(kept))]
