"""The sealing worker: a process that does rounds in order, and may end at any moment."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from mediaserver.recording.sealer import Sealer
from tests.recorded import Shelf, Source, encoded

KEY = bytes(range(32))


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    from mediaserver.vault import Vault

    monkeypatch.setenv("LOUPE_RECORDING_MASTER_KEY", KEY.hex())
    made = Shelf(tmp_path / "recordings", Vault([KEY]))
    made.track("t1")
    source = Source()
    made.journal("t1", [source.begin(), *source.stream(encoded("VP8", 60))])
    return made


def outcomes(sealer: Sealer, count: int = 1) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    deadline = time.monotonic() + 30
    while len(found) < count and time.monotonic() < deadline:
        found += sealer.outcomes()
        time.sleep(0.01)
    return found


def test_rounds_are_done_and_told(shelf: Shelf, tmp_path: Path) -> None:
    sealer = Sealer(["--data", str(tmp_path), "--root", str(shelf.root)])
    try:
        sealer.order([shelf.root], shelf.id, now=None, state="sealed")
        idle = [sealer.idle]
        (done,) = outcomes(sealer)
        assert (done["state"], done["failure"], len(done["segments"])) == ("sealed", None, 1)
        assert done["procedure"] == shelf.open().procedure
        assert done["room"] == shelf.manifest.lines()[0]["room"]
        idle.append(sealer.idle)
        assert idle == [False, True]
        assert shelf.open().state == "sealed"
    finally:
        sealer.close(5.0)


def test_a_worker_that_was_killed_is_replaced_and_the_round_begun_again(shelf: Shelf, tmp_path: Path) -> None:
    sealer = Sealer(["--data", str(tmp_path), "--root", str(shelf.root)])
    try:
        sealer.order([shelf.root], shelf.id, now=None, state="sealed")
        assert sealer._worker is not None
        os.kill(sealer._worker.pid, signal.SIGKILL)
        (done,) = outcomes(sealer)
        assert done["failure"] is None
        assert shelf.open().state == "sealed"
    finally:
        sealer.close(5.0)


def test_a_round_that_cannot_be_done_says_why(shelf: Shelf, tmp_path: Path) -> None:
    (shelf.folder.path / "key").unlink()
    sealer = Sealer(["--data", str(tmp_path), "--root", str(shelf.root)])
    try:
        sealer.order([shelf.root], shelf.id, now=None, state="sealed")
        (done,) = outcomes(sealer)
        assert done["failure"] == "FileNotFoundError"
    finally:
        sealer.close(5.0)
