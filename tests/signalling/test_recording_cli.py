"""``loupe recording verify``: whole, or the first thing that is not."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mediaserver import config
from mediaserver.audit import Event
from mediaserver.ids import TrackId
from mediaserver.recording.indexing import Indexing
from mediaserver.store.schema import FILE_NAME
from mediaserver.store.store import Store
from mediaserver.vault import Vault
from signalling.cli import app
from tests.recorded import Shelf, Source, encoded
from tests.running import ROOT

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


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as a person types it."""
    command = [sys.executable, "-m", "signalling", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=60)


def test_recordings_and_audit_are_verified_by_the_real_commands(shelf: Shelf, tmp_path: Path) -> None:
    store = Store.open(config.load({"data": {"folder": tmp_path}}, None))
    for event in (Event.AUDIT_START, Event.RECORDING_START):
        store.database.submit(partial(store.audit.within, event=event, actor="me")).result()
    store.database.close()
    data = ("--data", str(tmp_path))
    whole = run("recording", "verify", *data)
    assert (whole.returncode, whole.stdout.split(",")[0]) == (0, "rtest: whole")
    audit = run("audit", "verify", *data)
    assert (audit.returncode, audit.stdout.split(",")[0]) == (0, "intact: 2 records")
    path = shelf.folder.segment(shelf.open().tracks[0].id, 0, "webm")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("DROP TRIGGER audit_never_update")
        connection.execute("UPDATE audit SET actor = 'you' WHERE seq = 2")
    connection.close()
    assert run("recording", "verify", *data).returncode == 1
    broken = run("audit", "verify", *data)
    assert broken.returncode == 1
    assert "first at record 2" in broken.stderr


def test_a_segment_at_the_second_location_or_moved_to_a_store_is_verified_there(
    shelf: Shelf, tmp_path: Path
) -> None:
    second, objects = tmp_path / "second", tmp_path / "objects"
    (tmp_path / "loupe.toml").write_text(
        f'[recording]\nsecond_folder = "{second}"\n[storage]\nurl = "file://{objects}"\n'
    )
    path = shelf.folder.segment(shelf.open().tracks[0].id, 0, "webm")
    data, inner = ("--data", str(tmp_path)), path.relative_to(shelf.folder.path)
    objects.mkdir()
    for place in (second / "rtest", objects / "recordings" / "rtest"):
        moved = place / inner
        moved.parent.mkdir(parents=True)
        path = path.rename(moved)
        whole = run("recording", "verify", *data)
        assert whole.returncode == 0, whole.stdout
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert "segment 0 of track t1 was altered" in run("recording", "verify", *data).stdout
    path.unlink()
    assert run("recording", "verify", *data).returncode == 1


def finalise(shelf: Shelf, tmp_path: Path) -> None:
    """As the server tells the audit, with its recording in the index."""
    store = Store.open(config.load({"data": {"folder": tmp_path}}, None))
    end = shelf.manifest.end()
    assert end is not None
    note = partial(store.audit.within, event=Event.RECORDING_FINALISE, actor="system", subject=shelf.id)
    store.database.submit(partial(note, details=asdict(end))).result()
    asyncio.run(Indexing((shelf.root,), shelf.vault, store.recordings).step())
    store.database.close()


def verified(tmp_path: Path, *more: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["recording", "verify", *more, "--data", str(tmp_path)])
    return done.exit_code, done.stdout


def test_an_end_that_was_cut_off_is_named_also_when_another_was_signed(shelf: Shelf, tmp_path: Path) -> None:
    finalise(shelf, tmp_path)
    assert verified(tmp_path)[0] == 0
    manifest = shelf.folder.manifest
    whole = manifest.read_bytes()
    *kept, segment, _ = whole.splitlines(keepends=True)
    manifest.write_bytes(b"".join([*kept, segment]))
    assert verified(tmp_path) == (
        1, "rtest: the manifest's end is cut: the audit has this recording as finalised\n"
    )  # fmt: skip
    shelf.manifest.append({"type": "end", "state": "sealed", "again": True})
    assert verified(tmp_path) == (1, "rtest: the manifest's end is not the one that the audit has\n")
    manifest.write_bytes(b"".join(kept))
    shelf.folder.segment(TrackId("t1"), 0, "webm").unlink()
    shelf.seal(state="sealed")
    assert verified(tmp_path) == (
        1, "rtest: segment 0 of track t1 is in the index and not in the manifest\n"
    )  # fmt: skip
    manifest.write_bytes(whole)


def test_a_recording_that_is_gone_is_missed(shelf: Shelf, tmp_path: Path) -> None:
    finalise(shelf, tmp_path)
    (shelf.folder.path / "key").unlink()
    missing = "rtest: is missing: the database knows it, and nobody deleted it\n"
    assert verified(tmp_path) == (1, missing)
    shutil.rmtree(shelf.folder.path)
    assert verified(tmp_path) == (1, missing)
    store = Store.open(config.load({"data": {"folder": tmp_path}}, None))
    deleted = partial(
        store.audit.within, event=Event.RECORDING_DELETE, actor="me", subject=shelf.id,
        details={"step": "confirmed"},
    )  # fmt: skip
    store.database.submit(deleted).result()
    store.database.close()
    assert verified(tmp_path) == (0, ""), "two people decided it"


def test_what_is_no_recording_is_refused(tmp_path: Path, shelf: Shelf) -> None:
    runner = CliRunner()
    for id in ("../x", "rnone"):
        assert runner.invoke(app, ["recording", "verify", id, "--data", str(tmp_path)]).exit_code == 1
    assert shelf.folder.path.exists()
