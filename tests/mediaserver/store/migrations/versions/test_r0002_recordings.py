"""Revision 0002: a segment belongs to a recording, a recording to a procedure, each once."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.mediaserver.store.test_migration import make

RECORDING = "INSERT INTO recordings VALUES ('r', ?, '7QK2', 'sealed', 1, 2, 'clinical', 3, NULL)"
SEGMENT = "INSERT INTO segments VALUES (?, 't', 1, 0, 60, 'video/webm', 10, 12, x'00', 'local')"


def test_nothing_hangs_in_the_air(tmp_path: Path) -> None:
    make(tmp_path / "loupe.db", "0002")
    with sqlite3.connect(tmp_path / "loupe.db") as connection:
        connection.execute("PRAGMA foreign_keys=ON")
        for statement, owner in ((RECORDING, "nobody"), (SEGMENT, "nobody")):
            with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
                connection.execute(statement, (owner,))
        connection.execute(RECORDING, ("p",))
        connection.execute(SEGMENT, ("r",))
        with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
            connection.execute(SEGMENT, ("r",))
    connection.close()
