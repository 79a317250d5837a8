"""A place on a disk, and the threads that touch it, so that nobody waits long for a disk.

A disk that fails says so. One that stalls, as a network share or a controller does, says nothing: a call on
it returns much later or never. So all calls on a location are made by a thread of its own; whoever asked
waits for ``STALL_SECONDS`` and then goes on elsewhere, and the thread is left to its call.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, TypeVar

from mediaserver.recording.disk import has_room
from mediaserver.recording.folder import write_whole
from mediaserver.recording.journal import Journal

STALL_SECONDS: Final = 2.0
"""A disk that takes longer has stalled (06-reliability 3.1)."""
SYNC_SECONDS: Final = 0.5
"""How often journals are brought to the disk."""
PROBE_SECONDS: Final = 30.0
"""How often one that failed is tried while another is used."""
HEALTHY_SECONDS: Final = 300.0
"""So long a location that failed must answer before it is used again: a disk seldom fails once."""
END_SECONDS: Final = 2.0
"""How long threads are waited for at the end."""

T = TypeVar("T")


class Stalled(OSError):
    """The disk has not answered for ``STALL_SECONDS``; what was asked may still be done later."""


class Location:
    """One root, its worker and its syncer. ``do`` is for one thread only."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._last: Future[Any] = Future()
        self._last.set_result(None)
        self._worker = threading.Thread(target=self._run, name="disk", daemon=True)
        self._worker.start()
        self.syncer = Syncer()

    @property
    def stalled(self) -> bool:
        """It has not answered the last call yet, or cannot bring to the disk what was written."""
        return not self._last.done() or self.syncer.seconds > STALL_SECONDS

    def do(self, work: Callable[[], T]) -> T:
        """The result of ``work``, or whatever it raised. Raises ``Stalled``; at once while one call hangs."""
        if self.stalled:
            raise Stalled(f"{self.root.name} does not answer")
        future: Future[T] = Future()
        self._last = future

        def carry_out() -> None:
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)

        self._work.put(carry_out)
        with contextlib.suppress(TimeoutError):
            future.exception(STALL_SECONDS)
        if not future.done():
            raise Stalled(f"{self.root.name} does not answer")
        return future.result()

    def end(self) -> None:
        """Ends its threads, except where one hangs."""
        self._work.put(None)
        self._worker.join(END_SECONDS)
        self.syncer.end()

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()


class Syncer:
    """Brings a location's journals to the disk every half second, and closes those that are complete."""

    def __init__(self) -> None:
        self._journals: list[Journal] = []
        self._closing: list[Journal] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._since: float | None = None
        self._thread = threading.Thread(target=self._run, name="sync", daemon=True)
        self._thread.start()

    @property
    def seconds(self) -> float:
        """How long the present call on the disk has taken."""
        since = self._since
        return 0.0 if since is None else time.monotonic() - since

    def watch(self, journal: Journal) -> None:
        """From now on until it is complete."""
        with self._lock:
            self._journals.append(journal)

    def close(self, journals: Sequence[Journal]) -> None:
        """These are complete."""
        with self._lock:
            self._closing += journals

    def sync(self) -> None:
        """Once, now."""
        with self._lock:
            closing, self._closing = self._closing, []
            self._journals = [one for one in self._journals if one not in closing]
            open_ones = list(self._journals)
        for journal in [*open_ones, *closing]:
            if journal.unsynced:
                self._since = time.monotonic()
                # A full or failing disk shows itself when the next chunk is written.
                with contextlib.suppress(OSError):
                    journal.sync()
                self._since = None
        for journal in closing:
            journal.close()

    def end(self) -> None:
        """Stops the thread, unless it hangs; then what was written is brought to the disk by the system."""
        self._over.set()
        self._thread.join(END_SECONDS)

    def _run(self) -> None:
        while not self._over.wait(SYNC_SECONDS):
            self.sync()
        self.sync()


class Locations:
    """Locations in order of preference; the first that takes what is written is used."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self.all = tuple(map(Location, roots))
        self.number = 0
        """Of the one that is used."""
        self._healthy_since: dict[int, float] = {}
        """Earlier ones that answer again, and since when."""
        self._next_probe = 0.0

    @property
    def current(self) -> Location:
        """Where new journals go now."""
        return self.all[self.number]

    @property
    def roots(self) -> tuple[Path, ...]:
        """Of all."""
        return tuple(location.root for location in self.all)

    def next(self) -> bool:
        """The present one cannot be used: goes to the next, behind the last to an earlier one that answers
        again. False when there is none."""
        others = (*range(self.number + 1, len(self.all)), *sorted(self._healthy_since))
        if not others:
            return False
        self._go(others[0])
        return True

    def back(self, now: float) -> bool:
        """Asked every few seconds: goes back to an earlier one that has taken what was written, with room on
        it, for ``HEALTHY_SECONDS``. Whether it did."""
        if self.number == 0 or now < self._next_probe:
            return False
        self._next_probe = now + PROBE_SECONDS
        for number in range(self.number):
            if not _usable(self.all[number]):
                self._healthy_since.pop(number, None)
            elif now - self._healthy_since.setdefault(number, now) >= HEALTHY_SECONDS:
                self._go(number)
                return True
        return False

    def _go(self, number: int) -> None:
        self._healthy_since.clear()
        self.number = number

    def end(self) -> None:
        """Ends all threads that can be ended."""
        for location in self.all:
            location.end()


def _usable(location: Location) -> bool:
    """A file can be written there and brought to the disk, and there is room."""
    probe = location.root / ".probe"

    def work() -> bool:
        write_whole(probe, bytes(4096))
        probe.unlink()
        return has_room(location.root)

    try:
        return location.do(work)
    except OSError:
        return False
