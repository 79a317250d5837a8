"""Whether a server records: with a master key, and never without consents."""

from __future__ import annotations

from pathlib import Path

import pytest

from mediaserver.config import Data
from mediaserver.ids import ProcedureId
from mediaserver.plane import open_plane
from mediaserver.recording.opening import NoConsents, open_recordings
from mediaserver.server import Server
from tests.mediaserver.peers import settings


def test_without_a_master_key_nothing_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = settings().model_copy(update={"data": Data(folder=tmp_path)})
    server = Server(chosen, open_plane(chosen.media))
    monkeypatch.delenv("LOUPE_RECORDING_MASTER_KEY", raising=False)
    assert open_recordings(server, chosen) is None
    monkeypatch.setenv("LOUPE_RECORDING_MASTER_KEY", bytes(range(32)).hex())
    assert open_recordings(server, chosen) is not None


async def test_nobody_consented_where_no_consents_are_kept() -> None:
    consents = NoConsents()
    assert not await consents.permits(ProcedureId("p"), "recording")
    assert [revoked async for revoked in consents.revoked()] == []
