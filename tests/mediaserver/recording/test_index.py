"""Rows of recordings come from their folders, as often as one likes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mediaserver.config import Data
from mediaserver.ids import RecordingId
from mediaserver.recording.index import Index
from mediaserver.store.procedures import UnknownProcedure
from mediaserver.store.store import Store
from tests.mediaserver.peers import settings
from tests.recorded import Shelf, Source, encoded

KEY = bytes(range(32))


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    from mediaserver.vault import Vault

    monkeypatch.setenv("LOUPE_RECORDING_MASTER_KEY", KEY.hex())
    return Shelf(tmp_path / "recordings", Vault([KEY]))


async def test_a_recording_of_no_procedure_has_no_rows(shelf: Shelf, tmp_path: Path) -> None:
    chosen = settings().model_copy(update={"data": Data(folder=tmp_path)})
    store = Store.open(chosen)
    index = Index(store.recordings, shelf.vault, shelf.root)
    shelf.track("t1")
    source = Source()
    shelf.journal("t1", [source.begin(), *source.stream(encoded("VP8", 30))])
    shelf.seal(state="sealed")
    try:
        with pytest.raises(UnknownProcedure):
            await index.fill(shelf.id)
        task = asyncio.create_task(index.run())
        index.changed(shelf.id)
        index.changed(RecordingId("rnone"))
        await asyncio.sleep(0.2)
        assert not task.done(), "what cannot be indexed ends nothing"
        task.cancel()
    finally:
        await store.close()
