"""Whether a server records: with a master key, and not without."""

from __future__ import annotations

from pathlib import Path

import pytest

from mediaserver.config import Data
from mediaserver.plane import open_plane
from mediaserver.recording.control import NoRecordings, Recordings
from mediaserver.recording.opening import open_recordings
from mediaserver.server import Server
from mediaserver.store.store import Store
from tests.mediaserver.peers import settings


@pytest.mark.parametrize("key", [None, bytes(range(32)).hex()])
async def test_a_master_key_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str | None) -> None:
    monkeypatch.delenv("LOUPE_RECORDING_MASTER_KEY", raising=False)
    if key is not None:
        monkeypatch.setenv("LOUPE_RECORDING_MASTER_KEY", key)
    chosen = settings().model_copy(update={"data": Data(folder=tmp_path)})
    store = Store.open(chosen)
    server = Server(chosen, open_plane(chosen.media))
    try:
        opened = open_recordings(server, store)
        assert type(opened) is (Recordings if key else NoRecordings)
    finally:
        await server.stop()
        await store.close()
