"""An export in a process of its own: gets one line of work, says how far it is, ends when nobody listens.

``python -m mediaserver.review.export`` reads a ``Work`` as one line of JSON from its standard input and
writes a ``Report`` a line to its standard output. The end of its input, be it a cancellation or the death
of the server, ends it and whatever it has begun.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

from mediaserver import config
from mediaserver.config import Data, Settings
from mediaserver.errors import LoupeError
from mediaserver.recording.folder import RecordingFolder
from mediaserver.review.export.faststart import Sink
from mediaserver.review.export.order import Order
from mediaserver.review.export.run import MAX_PART_BYTES, Cancelled, Export, OpenSink
from mediaserver.review.labels import labels
from mediaserver.review.opening import open_recording
from mediaserver.store.objects import Objects
from mediaserver.vault import ChunkWriter, DataKey, Vault

NICENESS: Final = 15
"""Below everything that is live on this machine."""
TELL_SECONDS: Final = 0.5
MAX_WORK_BYTES: Final = 64 * 1024


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What to export from where to where."""

    order: Order
    recording: str
    """Its folder."""
    elsewhere: list[str]
    """Its folders at further locations."""
    data_folder: str
    master_key_file: str | None
    storage: dict[str, Any]
    """Of the object storage that segments may have moved to, as in the configuration."""
    folder: str
    """Where the files go, sealed; scratch files too."""
    key: str
    """Hex; seals the files. Never on a command line, which others can read."""
    max_part_bytes: int = MAX_PART_BYTES
    """Of media in one DICOM object."""


class Progress(msgspec.Struct, frozen=True, kw_only=True, tag="progress"):
    """Seconds of film done, of how many."""

    done_seconds: float
    all_seconds: float


class Finished(msgspec.Struct, frozen=True, kw_only=True, tag="finished"):
    """The names of the files made."""

    files: list[str]


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed"):
    """Why not; the parts of a ``LoupeError``."""

    code: str
    message: str
    field: str | None = None


Report = Progress | Finished | Failed


def context(name: str) -> str:
    """What a sealed file of an export is bound to."""
    return f"export/{name}"


@contextlib.contextmanager
def sealed_files(folder: Path, key: DataKey) -> Iterator[OpenSink]:
    """Sinks that are sealed files in a folder, new, 0600."""

    @contextlib.contextmanager
    def open_sink(name: str) -> Iterator[Sink]:
        path = folder / f"{name}.enc"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as stream, ChunkWriter(stream, key, context(name)) as sink:
            yield sink

    yield open_sink


class Teller:
    """What the server hears, a line each; of how far it is at most every half second."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._told = 0.0

    def progress(self, report: msgspec.Struct) -> None:
        """One that the next makes old."""
        now = time.monotonic()
        if now - self._told >= TELL_SECONDS:
            self._told = now
            self.report(report)

    def report(self, report: msgspec.Struct) -> None:
        """One that must arrive."""
        self._stream.write(msgspec.json.encode(report) + b"\n")
        self._stream.flush()


def _end_with(stream: BinaryIO, over: threading.Event) -> None:
    """Waits for the end of our input: then nobody wants the work."""
    stream.read()
    over.set()


def open_vault(data_folder: Path, master_key_file: str | None) -> Vault:
    """With the key file that the server uses; its environment we have anyway. Raises as ``Vault.open``."""
    key = None if master_key_file is None else Path(master_key_file)
    return Vault.open(
        Settings(data=Data(folder=data_folder), recording=config.Recording(master_key_file=key))
    )


def perform(work: Work, teller: Teller, over: threading.Event) -> Report:
    """Does it. Raises ``Cancelled``."""
    folder = Path(work.folder)

    def tell(done: float, of: float) -> None:
        teller.progress(Progress(done_seconds=done, all_seconds=of))

    try:
        vault = open_vault(Path(work.data_folder), work.master_key_file)
        objects = Objects.open(config.Storage(**work.storage))
        source = RecordingFolder(Path(work.recording), tuple(map(Path, work.elsewhere)))
        recording = open_recording(source, vault, objects)
        order = msgspec.structs.replace(work.order, labels={**labels(recording, vault), **work.order.labels})
        with sealed_files(folder, DataKey(bytes.fromhex(work.key))) as open_sink:
            files = Export(
                order, recording, open_sink, tell, over.is_set,
                scratch=folder, max_part_bytes=work.max_part_bytes,
            ).run()  # fmt: skip
    except LoupeError as error:
        return Failed(code=error.code, message=error.message, field=error.field)
    except OSError as error:
        return Failed(code="export_failed", message=error.strerror or "the files cannot be written")
    return Finished(files=files)


def main() -> int:
    """0 done, 1 failed, 3 cancelled."""
    os.nice(NICENESS)
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    teller = Teller(sys.stdout.buffer)
    try:
        work = msgspec.json.decode(sys.stdin.buffer.readline(MAX_WORK_BYTES), type=Work)
        threading.Thread(target=_end_with, args=(sys.stdin.buffer, over), daemon=True).start()
        report = perform(work, teller, over)
    except Cancelled:
        return 3
    teller.report(report)
    return 0 if isinstance(report, Finished) else 1
