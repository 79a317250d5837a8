"""A scratch file that a muxer may write, re-read and rewrite, of which the disk never sees a plain byte."""

from __future__ import annotations

import secrets
import tempfile
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mediaserver.review.seekable import Seekable

_CHUNK_BYTES: Final = 256 * 1024
_NONCE_BYTES: Final = 12
_SEALED_BYTES: Final = _NONCE_BYTES + _CHUNK_BYTES + 16


class Spool(Seekable):
    """Seekable, encrypted with a key that only this object knows; gone from the disk when closed or killed.

    One chunk is held in clear. A rewritten chunk gets a fresh random nonce (NIST SP 800-38D section 8.2.2).
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Unlinked from the start, so that a kill leaves nothing. Raises ``OSError``."""
        # Closed by ``close``; a context would end with this function.
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
        self._cipher = AESGCM(secrets.token_bytes(32))
        self._size = 0
        self._number = 0
        self._chunk = bytearray(_CHUNK_BYTES)
        self._written = set[int]()
        self._dirty = False

    @property
    def size(self) -> int:
        return self._size

    def writable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        taken = 0
        while taken < len(view) and self._position < self._size:
            start = self._turn_to(self._position)
            count = min(len(view) - taken, _CHUNK_BYTES - start, self._size - self._position)
            view[taken : taken + count] = self._chunk[start : start + count]
            taken += count
            self._position += count
        return taken

    def write(self, content: Any) -> int:
        view = memoryview(content).cast("B")
        taken = 0
        while taken < len(view):
            start = self._turn_to(self._position)
            count = min(len(view) - taken, _CHUNK_BYTES - start)
            self._chunk[start : start + count] = view[taken : taken + count]
            self._dirty = True
            taken += count
            self._position += count
            self._size = max(self._size, self._position)
        return taken

    def close(self) -> None:
        """Forgets key and content. Idempotent."""
        if not self.closed:
            self._file.close()
        super().close()

    def _turn_to(self, position: int) -> int:
        """Brings the chunk of a position into memory; gives the position within it."""
        number, start = divmod(position, _CHUNK_BYTES)
        if number != self._number:
            self._keep()
            self._number = number
            self._chunk[:] = self._load(number)
        return start

    def _keep(self) -> None:
        if not self._dirty:
            return
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, bytes(self._chunk), self._place(self._number))
        self._file.seek(self._number * _SEALED_BYTES)
        rest = memoryview(sealed)
        while rest:
            rest = rest[self._file.write(rest) :]
        self._written.add(self._number)
        self._dirty = False

    def _load(self, number: int) -> bytes:
        if number not in self._written:
            return bytes(_CHUNK_BYTES)
        self._file.seek(number * _SEALED_BYTES)
        sealed = self._file.read(_SEALED_BYTES)
        return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], self._place(number))

    @staticmethod
    def _place(number: int) -> bytes:
        return number.to_bytes(8, "big")
