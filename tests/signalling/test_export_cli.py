"""``loupe recording``: what the commands print, write, refuse and audit."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import pydicom
import pytest

from mediaserver import config
from mediaserver.store.audit import find
from mediaserver.store.store import Store
from mediaserver.vault import make_master_key
from tests.mediaserver.review.export.test_archive import scp  # noqa: F401 - a fixture
from tests.mediaserver.review.recorded import RECORDING, theatre
from tests.running import ROOT


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with one recording in it."""
    folder = tmp_path / "data"
    folder.mkdir()
    make_master_key(tmp_path / "master.key")
    (folder / "loupe.toml").write_text(f'[recording]\nmaster_key_file = "{tmp_path / "master.key"}"\n')
    store = Store.open(config.load({"data": {"folder": folder}}, None))
    assert store.vault is not None
    theatre(folder / "recordings", store.vault)
    store.database.close()
    return folder


def loupe(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "signalling", "recording", *arguments, "--data", str(data)],
        capture_output=True, text=True, cwd=ROOT, check=False, timeout=60,
    )  # fmt: skip


def exports(data: Path) -> list[tuple[str, str]]:
    """Step and outcome of every audited export of the recording."""
    store = Store.open(config.load({"data": {"folder": data}}, None))
    records = store.database.read_now(find)
    store.database.close()
    assert {(record.event, record.subject) for record in records} <= {("recording.export", RECORDING)}
    return [(json.loads(record.details)["step"], record.outcome) for record in records]


def test_recordings_are_listed(data: Path) -> None:
    listed = loupe(data, "list").stdout.split()
    assert listed == [RECORDING, "2026-03-09T01:30:00Z", "8", "sealed", "7QK2"]
    assert loupe(data, "list", "--room", "other").stdout == ""


def test_a_clip_of_one_camera_is_written_and_audited(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = loupe(
        data, "export", RECORDING, "--into", str(out), "--by", "Lê Thị Hồng", "--track", "endoscope",
        "--start", "1", "--end", "2", "--size", "320x240", "--rate", "10",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(out / "film.mp4"), str(out / "provenance.json")]
    with av.open(io.BytesIO((out / "film.mp4").read_bytes()), "r") as container:
        assert len(list(container.decode(video=0))) == 10
    assert exports(data) == [("begun", "success"), ("finished", "success")]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["export", "rNone", "--into", "x", "--by", "x"], 1, "no recording"),
        (["export", RECORDING, "--into", "x", "--by", "x", "--track", "monitor"], 2, "there is none"),
        (["export", RECORDING, "--into", "x", "--by", "x", "--form", "gif"], 2, "gif"),
        (["export", RECORDING, "--into", "x", "--by", "x", "--start", "99"], 1, "nothing lies"),
        (["export", RECORDING, "--into", "x", "--by", "x", "--size", "big"], 2, "WIDTHxHEIGHT"),
    ],
)
def test_what_cannot_be_is_one_line(
    data: Path, tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    arguments = [
        str(tmp_path / "x") if one == "x" and arguments[i - 1] == "--into" else one
        for i, one in enumerate(arguments)
    ]
    done = loupe(data, *arguments)
    assert (done.returncode, said in done.stderr, len(done.stderr.splitlines())) == (code, True, 1), (
        done.stderr
    )
    tried = "--start" in arguments
    assert exports(data) == ([("begun", "success"), ("failed", "failed")] if tried else [])


def test_ctrl_c_leaves_no_file(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [
        sys.executable, "-m", "signalling", "recording", "export", RECORDING, "--into", str(out), "--by", "x",
        "--size", "1920x1080", "--rate", "30", "--data", str(data),
    ]  # fmt: skip
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        end = time.monotonic() + 30
        while not out.exists() and time.monotonic() < end:
            time.sleep(0.02)
        assert exports(data) == [("begun", "success")], "before the first plain byte"
        os.kill(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "cancelled" in said
    assert list(out.iterdir()) == []
    assert exports(data) == [("begun", "success"), ("cancelled", "failed")]


def test_an_object_goes_to_an_archive(data: Path, tmp_path: Path, scp) -> None:  # type: ignore[no-untyped-def] # noqa: F811
    archive, folder = scp
    out = tmp_path / "out"
    made = loupe(
        data, "export", RECORDING, "--into", str(out), "--by", "x", "--form", "dicom-still",
        "--track", "room", "--start", "2", "--patient-name", "Nguyễn Văn Ánh",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    sent = subprocess.run(
        [sys.executable, "-m", "signalling", "recording", "send",
         f"{archive.title}@{archive.host}:{archive.port}", str(out / "still.dcm")],
        capture_output=True, text=True, cwd=ROOT, check=False, timeout=60,
    )  # fmt: skip
    assert sent.stdout.strip() == "stored 1 of 1", sent.stderr
    [arrived] = [pydicom.dcmread(path) for path in folder.iterdir()]
    assert str(arrived.PatientName) == "Nguyễn Văn Ánh"
