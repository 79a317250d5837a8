"""One track's way from its tap to its journal: what a tick finds becomes one chunk, as it came.

Taps are read by the recorder's own thread, journals are written by their location's: ``take`` gathers,
``chunk`` says what to write, and ``wrote`` that it was. What was not written waits.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Final

from mediaserver.ids import TrackId
from mediaserver.recording.journal import Journal
from mediaserver.recording.records import missed

MESSAGE_BYTES: Final = 128 * 1024
"""More than any batch of a tap."""
MAX_CHUNK_BYTES: Final = 4 * 1024 * 1024
"""A chunk after a pause of the recorder is cut here; more waits in the taps."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """What waits to be written: into the journal, or into a new one of this number."""

    track: TrackId
    journal: Journal | None
    number: int
    content: bytes


class Intake:
    """A track's taps, of which there are several when its publisher came back, and its journal."""

    def __init__(self, track: TrackId, first_number: int) -> None:
        self.track = track
        self._number = first_number
        self._sockets: list[socket.socket] = []
        self._buffer = bytearray(MESSAGE_BYTES)
        self._pending = bytearray()
        self._journal: Journal | None = None
        self.waiting_since: float | None = None
        """Of the oldest of what is not written, in seconds of ``take``'s clock."""
        self.missed = 0
        """Records that found a tap full, because this came too late to read it."""

    def add(self, tap: socket.socket) -> None:
        """Another tap of the same track."""
        tap.setblocking(False)
        self._sockets.append(tap)

    @property
    def live(self) -> bool:
        """Something may still come, or waits."""
        return bool(self._sockets or self._pending)

    def take(self, now: float) -> None:
        """What waits in the taps, as far as there is room for it here."""
        for tap in list(self._sockets):
            self._take(tap)
        if self._pending and self.waiting_since is None:
            self.waiting_since = now

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
            self.missed += missed(view[:length])
            self._pending += view[:length]

    def chunk(self) -> Chunk | None:
        """What is to be written now; None when nothing waits."""
        if not self._pending:
            return None
        return Chunk(self.track, self._journal, self._number, bytes(self._pending))

    def wrote(self, journal: Journal, number: int) -> None:
        """The last chunk is in this journal, whose number is this or was before."""
        if journal is not self._journal:
            self._journal = journal
            self._number = number + 1
        self.let_go()

    def let_go(self) -> None:
        """Of what was written, or can be written nowhere."""
        self._pending.clear()
        self.waiting_since = None

    def roll(self) -> Journal | None:
        """The next chunk begins a new file; the old one is complete."""
        journal, self._journal = self._journal, None
        return journal

    def end_taps(self) -> None:
        """Closes them; what was taken still waits. Idempotent."""
        for tap in self._sockets:
            tap.close()
        self._sockets.clear()

    def close(self) -> Journal | None:
        """Closes the taps; the journal is complete. Idempotent."""
        self.end_taps()
        return self.roll()
