"""A track's journal: records as they came, appended in chunks of AES-256-GCM.

A file is ``LPJ1 || salt || prefix`` and then chunks, each its length and its ciphertext, under a key derived
from the recording's data key for this file alone; the nonce is prefix || counter. Whatever ends a file in the
midst of a chunk, a kill, a full disk or a loss of power, costs that chunk and no other; so does what alters
one.
"""

from __future__ import annotations

import os
import secrets
import struct
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
"""What says it is as long is no chunk."""
SEARCH_CHUNKS: Final = 256
"""So many lost ones are found across; a file has 200."""


class Journal:
    """One file being appended to. Every chunk that ``append`` returned from survives the process."""

    def __init__(self, path: Path, key: DataKey) -> None:
        """A new file. Raises ``OSError``."""
        self.path = path
        self._descriptor = -1
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

    def __del__(self) -> None:
        # One that a stalled disk opened at last, when nobody waited for it any more.
        self.close()

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
    """The file ends within a chunk, or with one that does not open: what ended it cost that chunk."""
    damaged: int
    """Chunks before the end that do not open: something altered them after they were written."""


def read_journal(path: Path, key: DataKey) -> Chunks:
    """All chunks that open, also behind damage.

    Raises ``NotAuthentic`` for a file of another key or kind, ``OSError``.
    """
    content = path.read_bytes()
    if len(content) < _HEADER.size:
        return Chunks([], torn=True, damaged=0)
    magic, _, prefix = _HEADER.unpack_from(content)
    if magic != _MAGIC:
        raise NotAuthentic("this is no journal")
    return _Reading(content, _cipher(key, path, content[: _HEADER.size]), prefix).all()


class _Reading:
    """From chunk to chunk by their lengths; where those lead nowhere, to the next that opens."""

    def __init__(self, content: bytes, cipher: AESGCM, prefix: bytes) -> None:
        self._content, self._cipher, self._prefix = content, cipher, prefix
        self._records: list[bytes] = []
        self._damaged = 0
        self._bad = 0
        """Chunks that did not open since the last that did."""
        self._sound = (_HEADER.size, 0)
        """Behind the last chunk that opened, and the number of the next."""

    def all(self) -> Chunks:
        at, number = self._sound
        while at < len(self._content):
            end = self._end(at)
            if end is None:
                found = self._search()
                if found is None:
                    return Chunks(self._records, torn=True, damaged=self._damaged + self._bad)
                at, number = found
            elif self._take(at, end, number):
                at, number = self._sound
            else:
                self._bad += 1
                at, number = end, number + 1
        torn = self._bad > 0
        return Chunks(self._records, torn=torn, damaged=self._damaged + max(0, self._bad - 1))

    def _take(self, at: int, end: int, number: int) -> bool:
        nonce = _NONCE.pack(self._prefix, number)
        try:
            self._records.append(self._cipher.decrypt(nonce, self._content[at + _LENGTH.size : end], None))
        except InvalidTag:
            return False
        self._damaged += number - self._sound[1]
        self._bad = 0
        self._sound = (end, number + 1)
        return True

    def _end(self, at: int) -> int | None:
        """Where the chunk that begins here ends; None where none can begin, or the file ends before."""
        length = self._length(at)
        if length is None or at + _LENGTH.size + length > len(self._content):
            return None
        return at + _LENGTH.size + length

    def _length(self, at: int) -> int | None:
        if at + _LENGTH.size > len(self._content):
            return None
        length: int = _LENGTH.unpack_from(self._content, at)[0]
        return length if TAG_BYTES <= length < MAX_CHUNK_BYTES else None

    def _leads_on(self, at: int) -> bool:
        """The next two lengths are such, too, as far as the file goes: what is none costs no decryption."""
        for _ in range(2):
            if at >= len(self._content):
                return True
            length = self._length(at)
            if length is None:
                return False
            at += _LENGTH.size + length
        return True

    def _search(self) -> tuple[int, int] | None:
        """A length was altered: the next chunk is where one opens under a number that is still to come."""
        sound, number = self._sound
        at = sound
        # Every length begins with a zero byte, as it is below MAX_CHUNK_BYTES.
        while (at := self._content.find(b"\0", at + 1)) >= 0:
            end = self._end(at)
            if end is None or not self._leads_on(end):
                continue
            most = min(SEARCH_CHUNKS, (at - sound) // (_LENGTH.size + TAG_BYTES) + 1)
            for ahead in range(number + 1, number + 1 + most):
                if self._take(at, end, ahead):
                    return self._sound
        return None


def _cipher(key: DataKey, path: Path, header: bytes) -> AESGCM:
    # Name and header are in the purpose: no file serves in another's place.
    return AESGCM(key.derive(f"journal {path.name} {header.hex()}"))
