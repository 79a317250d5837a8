"""The store of a data folder, with a key and without."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

import pytest
import structlog.testing

from mediaserver.config import Settings, load
from mediaserver.store.audit import find
from mediaserver.store.audit_verification import verify
from mediaserver.store.store import Store
from mediaserver.vault import MASTER_KEY_VARIABLE, NoMasterKey


def settings_of(folder: Path) -> Settings:
    return load({"data": {"folder": str(folder / "data")}})


async def test_with_a_key_everything_is_there_and_the_audit_is_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MASTER_KEY_VARIABLE, secrets.token_hex(32))
    store = Store.open(settings_of(tmp_path))
    assert store.vault is not None
    await store.start()
    assert await store.procedures.find(None) == []
    await store.close()
    await store.close()
    again = Store.open(settings_of(tmp_path))
    found = again.database.read_now(lambda connection: verify(connection, again.vault))
    assert (found.records, found.unsigned, found.problem) == (1, 0, None)
    await again.close()


async def test_without_a_key_only_the_audit_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MASTER_KEY_VARIABLE, raising=False)
    store = Store.open(settings_of(tmp_path))
    await store.start()
    with pytest.raises(NoMasterKey, match="master_key_file"):
        _ = store.procedures
    with pytest.raises(NoMasterKey):
        _ = store.consents
    await store.audit.flush()
    assert [record.event for record in await store.database.read(find)] == ["audit.start"]
    await store.close()


class Failing:
    """Work that ends at once, and not well."""

    def __init__(self) -> None:
        self.began = asyncio.Event()

    async def run(self) -> None:
        self.began.set()
        raise ValueError("says too much")


async def test_work_that_ends_by_an_error_is_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MASTER_KEY_VARIABLE, raising=False)
    store, work = Store.open(settings_of(tmp_path)), Failing()
    store.keep_running(work)
    with structlog.testing.capture_logs() as lines:
        await store.start()
        await work.began.wait()
        await store.close()
    (line,) = [line for line in lines if line["log_level"] == "error"]
    assert (line["work"], line["reason"]) == ("Failing", "ValueError")
    assert "says too much" not in str(line)
