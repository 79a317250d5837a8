"""C-STORE to dcmtk's storescp, which is not ours."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pydicom
import pytest

from mediaserver.review.errors import NotReached
from mediaserver.review.export.archive import Archive, parse, plain, store
from mediaserver.review.export.order import Order
from tests.mediaserver.review.export.test_dicom import export


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def archive_at(port: int, folder: Path) -> Iterator[Archive]:
    """One that takes every transfer syntax it knows, into a folder."""
    # Debian's, not that of pynetdicom, which a virtual environment puts before it.
    program = shutil.which("storescp", path=os.defpath)
    if program is None:
        pytest.skip("no storescp: install Debian's package dcmtk")
    folder.mkdir()
    process = subprocess.Popen([program, "+xa", "-od", str(folder), "-aet", "PACS", str(port)])
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield Archive("PACS", "127.0.0.1", port)
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def scp(tmp_path: Path) -> Iterator[tuple[Archive, Path]]:
    """An archive, and where it puts what it is sent."""
    with archive_at(free_port(), tmp_path / "archive") as archive:
        yield archive, tmp_path / "archive"


def test_films_and_stills_arrive_as_they_were_made(scp: tuple[Archive, Path], tmp_path: Path) -> None:
    archive, folder = scp
    film, still = tmp_path / "film", tmp_path / "still"
    film.mkdir()
    still.mkdir()
    files = [
        *export(film, Order(form="dicom-video", tracks=["t-cam-a"], end_seconds=1.0, width=320, height=240)),
        *export(still, Order(form="dicom-still", tracks=["t-cam-a"], start_seconds=1.0)),
    ]
    told: list[int] = []
    left: list[int] = []
    store(archive, [plain(file) for file in files], told.append, left.append)
    assert told == [1, 2]
    assert sum(left) >= sum(file.stat().st_size for file in files) - 2000, (
        "less a preamble and file meta each"
    )
    arrived = {str(one.SOPInstanceUID): one for one in map(pydicom.dcmread, folder.iterdir())}
    for file in files:
        sent = pydicom.dcmread(file)
        assert arrived[sent.SOPInstanceUID].PixelData == sent.PixelData
        assert arrived[sent.SOPInstanceUID].file_meta.TransferSyntaxUID == sent.file_meta.TransferSyntaxUID


def test_an_archive_that_is_not_there_is_named(tmp_path: Path) -> None:
    files = export(tmp_path, Order(form="dicom-still", tracks=["t-cam-a"], start_seconds=1.0))
    with pytest.raises(NotReached, match="reached"):
        store(Archive("PACS", "127.0.0.1", free_port()), [plain(file) for file in files])


def test_addresses() -> None:
    assert parse("PACS@192.0.2.7:104") == Archive("PACS", "192.0.2.7", 104)
    assert parse("PACS@[2001:db8::7]:11112") == Archive("PACS", "2001:db8::7", 11112)
    for bad in ("PACS", "PACS@host", "@host:104", "PACS@host:0", "PACS@host:70000", f"{'A' * 17}@host:104"):
        with pytest.raises(ValueError, match=r"give|title"):
            parse(bad)
