"""Migrations: from nothing and from every older revision a file gets to the shape the program knows."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from mediaserver.store.database import Database, _engine
from mediaserver.store.migration import revisions, upgrade
from mediaserver.store.schema import MIGRATIONS, metadata

ROWS = {
    "0001": [
        "INSERT INTO rooms VALUES ('7QK2', 1, 2)",
        "INSERT INTO procedures VALUES ('p', '7QK2', x'01', x'02', 3, 'me', NULL, NULL)",
        "INSERT INTO consents VALUES (1,'p','recording','given',x'03','patient','written','1','vi',4,5,'me')",
        "INSERT INTO audit VALUES (1,6,420,'session.start','success','me',0,0,0,'7QK2','p',0,'{}',x'04')",
    ],
    "0003": [],
    "0004": [],
    "0002": ["INSERT INTO bookmarks VALUES (1, 'p', 7, x'05', 'me', 8, 1, NULL)"],
}


def make(path: Path, revision: str) -> None:
    """A file as the program of that revision left it, with rows of every revision before."""
    path.touch()
    steps = revisions(MIGRATIONS)
    for step in steps[: steps.index(revision) + 1]:
        engine = _engine(path, read_only=False)
        upgrade(engine, MIGRATIONS, step)
        engine.dispose()
        with sqlite3.connect(path) as connection:
            for row in ROWS[step]:
                connection.execute(row)
        connection.close()


def content(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with sqlite3.connect(path) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        found = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in sorted(tables)}
    connection.close()
    return {name: rows for name, rows in found.items() if rows and name != "alembic_version"}


@pytest.mark.parametrize("revision", [None, *revisions(MIGRATIONS)])
def test_every_older_file_gets_to_the_newest_shape_and_keeps_its_rows(
    tmp_path: Path, revision: str | None
) -> None:
    path = tmp_path / "loupe.db"
    if revision is not None:
        make(path, revision)
    before = content(path) if revision else {}
    Database.open(path, MIGRATIONS).close()
    after = content(path)
    assert after.keys() == before.keys()
    for table, rows in before.items():  # what is new is in columns behind
        assert [new[: len(old)] for old, new in zip(rows, after[table], strict=True)] == rows
    engine = _engine(path, read_only=True)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, metadata) == []
    engine.dispose()
    Database.open(path, MIGRATIONS).close()
    assert content(path) == after


def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "loupe.db"
    make(path, "0001")
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE segments (mine TEXT)")  # what the next step wants to make
    connection.close()
    with pytest.raises(Exception, match="cannot be opened"):
        Database.open(path, MIGRATIONS)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("0001",)]
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    connection.close()
    assert "recordings" not in tables
