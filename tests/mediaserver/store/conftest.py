"""A database and a vault, fresh for each test."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from mediaserver.store.database import Database
from mediaserver.store.schema import MIGRATIONS
from mediaserver.vault import Vault


@pytest.fixture
def vault() -> Vault:
    return Vault([secrets.token_bytes(32)])


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(tmp_path / "data" / "loupe.db", MIGRATIONS)
    yield opened
    opened.close()
