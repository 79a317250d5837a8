"""The store's numbers."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from mediaserver.audit import Event
from mediaserver.config import load
from mediaserver.store.metrics import StoreCollector
from mediaserver.store.store import Store
from mediaserver.vault import MASTER_KEY_VARIABLE


async def test_what_waits_and_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MASTER_KEY_VARIABLE, secrets.token_hex(32))
    (tmp_path / "share").mkdir()
    storage = {"url": f"file://{tmp_path / 'share'}"}
    store = Store.open(load({"data": {"folder": str(tmp_path / "data")}, "storage": storage}))
    registry = CollectorRegistry()
    registry.register(StoreCollector(store))
    store.audit.append(Event.VIEW_START, actor="me", room="7QK2")
    text = generate_latest(registry).decode()
    assert "loupe_audit_waiting 1.0" in text
    assert "loupe_storage_bytes_total 0.0" in text
    for outcome in ("missing", "damaged"):
        assert f'loupe_storage_segments_total{{outcome="{outcome}"}} 0.0' in text
    assert "7QK2" not in text
    await store.audit.flush()
    text = generate_latest(registry).decode()
    assert "loupe_audit_waiting 0.0" in text
    assert 'loupe_database_writes_total{outcome="written"} 1.0' in text
    assert 'loupe_database_writes_total{outcome="failed"} 0.0' in text
    await store.close()
