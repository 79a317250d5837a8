"""Revision 0004: what was marked before has its time of day, and no place."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from mediaserver.store.database import Database
from mediaserver.store.schema import MIGRATIONS
from tests.mediaserver.store.test_migration import make


def test_what_was_marked_has_no_place(tmp_path: Path) -> None:
    path = tmp_path / "loupe.db"
    make(path, "0003")
    Database.open(path, MIGRATIONS).close()
    with sqlite3.connect(path) as connection:
        found = connection.execute("SELECT at, live, recording, axis_seconds FROM bookmarks").fetchall()
        assert found == [(7, 1, None, None)]
    connection.close()
