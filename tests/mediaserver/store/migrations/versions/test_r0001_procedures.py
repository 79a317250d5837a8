"""Revision 0001: what must not change cannot be changed, and a room has one open procedure."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.mediaserver.store.test_migration import make


@pytest.mark.parametrize("table", ["audit", "consents"])
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET rowid = 7"])
def test_what_is_append_only_refuses_changes(tmp_path: Path, table: str, change: str) -> None:
    make(tmp_path / "loupe.db", "0001")
    with (
        sqlite3.connect(tmp_path / "loupe.db") as connection,
        pytest.raises(sqlite3.IntegrityError, match="append-only"),
    ):
        connection.execute(change.format(table))
    connection.close()


def test_a_room_has_one_open_procedure(tmp_path: Path) -> None:
    make(tmp_path / "loupe.db", "0001")
    another = "INSERT INTO procedures VALUES (?, '7QK2', x'01', x'02', 3, 'me', NULL, ?)"
    with sqlite3.connect(tmp_path / "loupe.db") as connection:
        connection.execute(another, ("closed", 9))
        with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
            connection.execute(another, ("open", None))
    connection.close()
