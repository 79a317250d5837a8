"""``loupe recording verify``: whole, or the first thing that is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mediaserver.vault import Vault
from signalling.cli import app
from tests.recorded import Shelf, Source, encoded

KEY = bytes(range(32))


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    monkeypatch.setenv("LOUPE_RECORDING_MASTER_KEY", KEY.hex())
    made = Shelf(tmp_path / "recordings", Vault([KEY]))
    made.track("t1")
    source = Source()
    made.journal("t1", [source.begin(), *source.stream(encoded("VP8", 30))])
    made.seal(state="sealed")
    return made


def test_whole_recordings_and_an_altered_one(shelf: Shelf, tmp_path: Path) -> None:
    runner = CliRunner()
    whole = runner.invoke(app, ["recording", "verify", "--data", str(tmp_path), "--json"])
    assert whole.exit_code == 0, whole.output
    found = json.loads(whole.stdout)
    assert (found["recording"], found["whole"], found["segments"], found["ended"]) == ("rtest", True, 1, True)
    path = shelf.folder.segment(shelf.open().tracks[0].id, 0, "webm")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    altered = runner.invoke(app, ["recording", "verify", "rtest", "--data", str(tmp_path)])
    assert altered.exit_code == 1
    assert altered.stdout == "rtest: segment 0 of track t1 was altered\n"


def test_what_is_no_recording_is_refused(tmp_path: Path, shelf: Shelf) -> None:
    runner = CliRunner()
    for id in ("../x", "rnone"):
        assert runner.invoke(app, ["recording", "verify", id, "--data", str(tmp_path)]).exit_code == 1
    assert shelf.folder.path.exists()
