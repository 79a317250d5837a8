"""A track's journal: records as they came, appended in chunks of AES-256-GCM.

A file is ``LPJ1 || salt || prefix`` and then chunks, each its length and its ciphertext, under a key derived
from the recording's data key for this file alone; the nonce is prefix || counter. Whatever ends a file in the
midst of a chunk, a kill, a full disk or a loss of power, costs that chunk and no other.
"""

from __future__ import annotations

import os
import secrets
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mediaserver.recording.folder import FILE_MODE
from mediaserver.vault import TAG_BYTES, DataKey, NotAuthentic

_MAGIC: Final = b"LPJ1"
_HEADER: Final = struct.Struct(">4s16s4s")
_LENGTH: Final = struct.Struct(">I")
_NONCE: Final = struct.Struct(">4sQ")
MAX_CHUNK_BYTES: Final = 16 * 1024 * 1024
"""What says it is longer is no chunk."""


class Journal:
    """One file being appended to. Every chunk that ``append`` returned from survives the process."""

    def __init__(self, path: Path, key: DataKey) -> None:
        """A new file. Raises ``OSError``."""
        self.path = path
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, FILE_MODE)
        header = _HEADER.pack(_MAGIC, secrets.token_bytes(16), secrets.token_bytes(4))
        self._prefix = header[-4:]
        self._cipher = _cipher(key, path, header)
        self._count = 0
        self.size = 0
        """Bytes in the file."""
        self.unsynced = True
        try:
            self._write(header)
        except OSError:
            self.close()
            path.unlink(missing_ok=True)
            raise

    def append(self, records: bytes | bytearray) -> None:
        """One chunk. On an ``OSError`` nothing of it is left in the file, and it may be tried elsewhere."""
        nonce = _NONCE.pack(self._prefix, self._count)
        sealed = self._cipher.encrypt(nonce, bytes(records), None)
        self._write(_LENGTH.pack(len(sealed)) + sealed)
        self._count += 1

    def sync(self) -> None:
        """To the disk; for a thread of its own. Raises ``OSError``."""
        self.unsynced = False
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _write(self, content: bytes) -> None:
        view = memoryview(content)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError:
            os.ftruncate(self._descriptor, self.size)
            raise
        self.size += len(content)
        self.unsynced = True


@dataclass(frozen=True, slots=True)
class Chunks:
    """What a journal file holds."""

    records: list[bytes]
    torn: bool
    """The file ends within a chunk, or behind one that was altered."""


def read_journal(path: Path, key: DataKey) -> Chunks:
    """All whole chunks. Raises ``NotAuthentic`` for a file of another key or kind, ``OSError``."""
    content = path.read_bytes()
    if len(content) < _HEADER.size:
        return Chunks([], torn=True)
    magic, _, prefix = _HEADER.unpack_from(content)
    if magic != _MAGIC:
        raise NotAuthentic("this is no journal")
    cipher = _cipher(key, path, content[: _HEADER.size])
    chunks: list[bytes] = []
    for start, end in _bounds(content):
        try:
            chunks.append(cipher.decrypt(_NONCE.pack(prefix, len(chunks)), content[start:end], None))
        except InvalidTag:
            return Chunks(chunks, torn=True)
    whole = _HEADER.size + sum(_LENGTH.size + TAG_BYTES + len(chunk) for chunk in chunks)
    return Chunks(chunks, torn=whole != len(content))


def _bounds(content: bytes) -> Iterator[tuple[int, int]]:
    at = _HEADER.size
    while at + _LENGTH.size <= len(content):
        (length,) = _LENGTH.unpack_from(content, at)
        start = at + _LENGTH.size
        at = start + length
        if not TAG_BYTES <= length <= MAX_CHUNK_BYTES or at > len(content):
            return
        yield start, at


def _cipher(key: DataKey, path: Path, header: bytes) -> AESGCM:
    # Name and header are in the purpose: no file serves in another's place.
    return AESGCM(key.derive(f"journal {path.name} {header.hex()}"))
