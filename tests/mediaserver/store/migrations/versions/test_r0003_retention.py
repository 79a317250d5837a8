"""Revision 0003: what was there before is clinical."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from mediaserver.store.database import Database
from mediaserver.store.schema import MIGRATIONS
from tests.mediaserver.store.test_migration import make


def test_what_was_there_is_kept_longest(tmp_path: Path) -> None:
    path = tmp_path / "loupe.db"
    make(path, "0002")
    Database.open(path, MIGRATIONS).close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT id, retention_class FROM procedures").fetchall() == [
            ("p", "clinical")
        ]
    connection.close()
