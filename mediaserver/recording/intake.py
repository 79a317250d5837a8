"""One track's way from its tap to its journal: what a tick finds becomes one chunk, as it came."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Final

from mediaserver.ids import TrackId
from mediaserver.recording.journal import Journal

MESSAGE_BYTES: Final = 128 * 1024
"""More than any batch of a tap."""
MAX_CHUNK_BYTES: Final = 4 * 1024 * 1024
"""A chunk after a pause of the recorder is cut here."""

OpenJournal = Callable[[TrackId, int], Journal]
"""A new journal of this track and number. Raises ``OSError``."""


class Intake:
    """Reads a track's taps and appends to its journal; several taps when its publisher came back."""

    def __init__(self, track: TrackId, open_journal: OpenJournal, first_number: int) -> None:
        self.track = track
        self._open = open_journal
        self._number = first_number
        self._sockets: list[socket.socket] = []
        self._buffer = bytearray(MESSAGE_BYTES)
        self._pending = bytearray()
        self.journal: Journal | None = None
        self.retired: list[Journal] = []
        """Journals that are complete but not yet synced and closed."""
        self.written = 0
        """Bytes put into journals, ever."""

    def add(self, tap: socket.socket) -> None:
        """Another tap of the same track."""
        tap.setblocking(False)
        self._sockets.append(tap)

    @property
    def live(self) -> bool:
        """Something may still come."""
        return bool(self._sockets)

    def drain(self) -> None:
        """Takes what waits and writes it. What an ``OSError`` kept out of the journal waits for the next
        call."""
        for tap in list(self._sockets):
            self._take(tap)
        self._write()

    def _take(self, tap: socket.socket) -> None:
        view = memoryview(self._buffer)
        while len(self._pending) < MAX_CHUNK_BYTES:
            try:
                length = tap.recv_into(self._buffer)
            except BlockingIOError:
                return
            except OSError:
                length = 0
            if length == 0:
                tap.close()
                self._sockets.remove(tap)
                return
            self._pending += view[:length]

    def _write(self) -> None:
        if not self._pending:
            return
        if self.journal is None:
            self.journal = self._open(self.track, self._number)
            self._number += 1
        before = self.journal.size
        self.journal.append(self._pending)
        self.written += self.journal.size - before
        self._pending.clear()

    def roll(self) -> None:
        """The next chunk begins a new file."""
        if self.journal is not None:
            self.retired.append(self.journal)
            self.journal = None

    def abandon(self) -> None:
        """Lets go what could not be written anywhere."""
        self._pending.clear()

    def close(self) -> None:
        """Closes taps and files. Idempotent."""
        for tap in self._sockets:
            tap.close()
        self._sockets.clear()
        self.roll()
