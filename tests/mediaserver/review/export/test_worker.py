"""The export process by itself: one line in, reports out, and gone when nobody listens."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from mediaserver.review.export.order import Order
from mediaserver.review.export.worker import Failed, Finished, Progress, Report, Work, context
from mediaserver.vault import ChunkReader, DataKey, FileBytes, Vault, make_master_key
from tests.mediaserver.review.recorded import RECORDING, theatre
from tests.running import ROOT

KEY = bytes(range(32))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    key = tmp_path / "master.key"
    make_master_key(key)
    theatre(tmp_path / "data" / "recordings", Vault([bytes.fromhex(key.read_text().strip())]))
    (tmp_path / "out").mkdir()
    return tmp_path


def work(place: Path, order: Order, recording: str = RECORDING) -> bytes:
    made = Work(
        order=order, recording=str(place / "data" / "recordings" / recording),
        elsewhere=[], data_folder=str(place / "data"),
        master_key_file=str(place / "master.key"), folder=str(place / "out"), key=KEY.hex(), storage={},
    )  # fmt: skip
    return msgspec.json.encode(made) + b"\n"


def start() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "mediaserver.review.export"]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def reports(output: bytes) -> list[Progress | Finished | Failed]:
    return [msgspec.json.decode(line, type=Report) for line in output.splitlines()]


def finish(process: subprocess.Popen[bytes], line: bytes) -> tuple[int, list[Progress | Finished | Failed]]:
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        process.stdin.write(line)
        process.stdin.flush()
        output = process.stdout.read()  # its input stays open: its end would cancel
    return process.returncode, reports(output)


def test_a_film_is_sealed_with_the_key_it_was_given(place: Path) -> None:
    code, said = finish(start(), work(place, Order(form="png", tracks=["t-cam-a"], start_seconds=1)))
    assert code == 0
    assert said[-1] == Finished(files=["still.png", "provenance.json"])
    with FileBytes(place / "out" / "still.png.enc") as source:
        plain = ChunkReader(source, DataKey(KEY), context("still.png")).read(0, 8)
    assert plain == b"\x89PNG\r\n\x1a\n"
    assert "Nội soi đường mật".encode() in _whole(place / "out" / "still.png.enc", "still.png")


def _whole(path: Path, name: str) -> bytes:
    with FileBytes(path) as source:
        reader = ChunkReader(source, DataKey(KEY), context(name))
        return reader.read(0, reader.size)


@pytest.mark.parametrize(
    ("order", "recording", "code"),
    [
        (Order(form="mp4", tracks=["t-none"]), RECORDING, "cannot_export"),
        (Order(form="mp4"), "rNone", "export_failed"),
    ],
)
def test_why_not_is_told(place: Path, order: Order, recording: str, code: str) -> None:
    status, said = finish(start(), work(place, order, recording))
    assert status == 1
    assert [one.code for one in said if isinstance(one, Failed)] == [code]
    assert list((place / "out").iterdir()) == []


def test_the_end_of_its_input_ends_it(place: Path) -> None:
    process = start()
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        process.stdin.write(work(place, Order(form="mp4", width=1920, height=1080, frames_per_second=30)))
        process.stdin.flush()
        assert isinstance(reports(process.stdout.readline())[0], Progress)
        process.stdin.close()
        assert process.wait(30) == 3
    assert list((place / "out").iterdir()) == []


def test_what_was_altered_since_it_was_asked_for_is_refused(place: Path) -> None:
    manifest = place / "data" / "recordings" / RECORDING / "manifest"
    manifest.write_bytes(manifest.read_bytes().replace(b'"lost":3', b'"lost":0'))
    status, said = finish(start(), work(place, Order(form="png", tracks=["t-cam-a"], start_seconds=1)))
    assert status == 1
    assert [one.code for one in said if isinstance(one, Failed)] == ["altered"]
    assert list((place / "out").iterdir()) == []
