"""Sealed objects reach dcmtk's storescp as they were made, and no plain byte reaches a disk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pydicom

from mediaserver.review.export.archive import Archive
from mediaserver.review.export.order import Order
from mediaserver.review.export.sending import Consignment, Sending, SendingReport, Stored
from mediaserver.review.export.worker import Failed, context
from mediaserver.vault import ChunkWriter, DataKey
from tests.mediaserver.review.export.test_archive import free_port, scp  # noqa: F401 - a fixture
from tests.mediaserver.review.export.test_dicom import export
from tests.running import ROOT

KEY = DataKey(bytes(range(32)))


def sealed(folder: Path, order: Order) -> tuple[Path, Path]:
    """The folder of a sealed object, and the plain one beside it."""
    (folder / "plain").mkdir()
    (folder / "sealed").mkdir()
    (file,) = export(folder / "plain", order)
    target = folder / "sealed" / f"{file.name}.enc"
    with target.open("wb") as stream, ChunkWriter(stream, KEY, context(file.name)) as writer:
        writer.write(file.read_bytes())
    return folder / "sealed", file


def send(folder: Path, name: str, to: Archive) -> list[Sending | Stored | Failed]:
    work = Consignment(folder=str(folder), key=KEY.raw.hex(), files=[name], archive=to)
    command = [sys.executable, "-m", "mediaserver.review.export", "send"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(msgspec.json.encode(work) + b"\n")
        process.stdin.flush()
        output = process.stdout.read()  # its input stays open: its end would cancel
    return [msgspec.json.decode(line, type=SendingReport) for line in output.splitlines()]


def test_a_film_arrives_as_it_was_made(scp: tuple[Archive, Path], tmp_path: Path) -> None:  # noqa: F811
    archive, arrived = scp
    order = Order(form="dicom-video", tracks=["t-cam-a"], end_seconds=1.0, width=320, height=240)
    folder, plain = sealed(tmp_path, order)
    *progress, last = send(folder, plain.name, archive)
    assert last == Stored(objects=1)
    assert len(progress) >= 1
    assert all(isinstance(one, Sending) and 0 < one.done_bytes <= one.all_bytes for one in progress)
    (found,) = map(pydicom.dcmread, arrived.iterdir())
    assert found.PixelData == pydicom.dcmread(plain).PixelData
    assert list(folder.iterdir()) == [folder / f"{plain.name}.enc"]


def test_an_archive_that_is_not_there_is_said(tmp_path: Path) -> None:
    folder, plain = sealed(tmp_path, Order(form="dicom-still", tracks=["t-cam-a"], start_seconds=1.0))
    last = send(folder, plain.name, Archive("PACS", "127.0.0.1", free_port()))[-1]
    assert isinstance(last, Failed)
    assert last.code == "archive_unreachable"
