"""A stream of known size with a position: what readers of plain bytes over sealed ones share."""

from __future__ import annotations

import io
import os
from abc import abstractmethod


class Seekable(io.RawIOBase):
    """Leaves reading to those below it."""

    _position = 0

    @property
    @abstractmethod
    def size(self) -> int:
        """Plain bytes."""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise ValueError("before the start")
        self._position = base + offset
        return self._position
