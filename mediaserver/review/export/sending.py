"""Sends an export's DICOM objects to the archive, in a process of its own.

``python -m mediaserver.review.export send`` reads a ``Consignment`` as one line of JSON and writes a
``SendingReport`` a line. No plain byte reaches a disk: an object that is sent lies in anonymous memory.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from mediaserver.errors import LoupeError
from mediaserver.review.export.archive import Archive, OpenObject, store
from mediaserver.review.export.worker import MAX_WORK_BYTES, NICENESS, Failed, Teller, context
from mediaserver.vault import ChunkReader, DataKey, FileBytes

MAX_OBJECT_BYTES: Final = 500_000_000
"""Of media in one object that may be sent: it is held in memory, beside whatever is live."""
COPY_BYTES: Final = 1024 * 1024


class Consignment(msgspec.Struct, frozen=True, kw_only=True):
    """What to send where."""

    folder: str
    """Where the sealed files lie."""
    key: str
    """Hex. Never on a command line, which others can read."""
    files: list[str]
    archive: Archive


class Sending(msgspec.Struct, frozen=True, kw_only=True, tag="sending"):
    """Bytes on their way, of how many."""

    done_bytes: int = 0
    all_bytes: int = 0


class Stored(msgspec.Struct, frozen=True, kw_only=True, tag="stored"):
    """The archive has confirmed so many objects: all."""

    objects: int


SendingReport = Sending | Stored | Failed


def main(stdin: BinaryIO | None = None, stdout: BinaryIO | None = None) -> int:
    """0 stored, 1 failed."""
    given, said = stdin or sys.stdin.buffer, stdout or sys.stdout.buffer
    os.nice(NICENESS)
    work = msgspec.json.decode(given.readline(MAX_WORK_BYTES), type=Consignment)
    threading.Thread(target=_end_with, args=(given,), daemon=True).start()
    teller = Teller(said)
    report = perform(work, teller)
    teller.report(report)
    return 0 if isinstance(report, Stored) else 1


def perform(work: Consignment, teller: Teller) -> SendingReport:
    """Does it."""
    key = DataKey(bytes.fromhex(work.key))
    sealed = [(Path(work.folder) / f"{name}.enc", context(name)) for name in work.files]
    objects: list[OpenObject] = [partial(_in_memory, file, key, of) for file, of in sealed]
    sent = _Sent(teller, sum(file.stat().st_size for file, _ in sealed))
    try:
        store(work.archive, objects, sent=sent.add)
    except LoupeError as error:
        return Failed(code=error.code, message=error.message)
    except OSError as error:
        return Failed(code="export_failed", message=error.strerror or "the files cannot be read")
    return Stored(objects=len(objects))


@contextmanager
def _in_memory(file: Path, key: DataKey, bound_to: str) -> Iterator[Path]:
    """Decrypted into memory that has a path for as long as it is open (memfd_create(2))."""
    with FileBytes(file) as source, os.fdopen(os.memfd_create("object"), "wb") as plain:
        reader = ChunkReader(source, key, bound_to)
        for offset in range(0, reader.size, COPY_BYTES):
            plain.write(reader.read(offset, min(COPY_BYTES, reader.size - offset)))
        plain.flush()
        yield Path(f"/proc/self/fd/{plain.fileno()}")


class _Sent:
    """Counts what has left; what goes beside the objects is not counted as more than all."""

    def __init__(self, teller: Teller, all_bytes: int) -> None:
        self._teller = teller
        self._all = all_bytes
        self._done = 0

    def add(self, count: int) -> None:
        self._done = min(self._done + count, self._all)
        self._teller.progress(Sending(done_bytes=self._done, all_bytes=self._all))


def _end_with(stream: BinaryIO) -> None:
    """The end of our input: nobody wants the work, and what the archive has not confirmed it drops."""
    stream.read()
    os._exit(3)
