"""The recorder process: taps in, journals out, sealing in between.

One thread does everything but syncing: every tick it reads what waits in the taps and appends it at once, so
what a kill costs is what a tick has in its hands. Orders come from the server as messages of a socket,
taps as descriptors with them; when the server is gone, what the taps still hold is written and the process
ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mediaserver.ids import RecordingId, TrackId
from mediaserver.recording.disk import WARN_SECONDS, Ballast, Forecast, Locations, free_bytes
from mediaserver.recording.folder import RecordingFolder, folders, sync_folder
from mediaserver.recording.intake import Intake
from mediaserver.recording.journal import Journal
from mediaserver.recording.manifest import Manifest
from mediaserver.recording.sealer import Sealer
from mediaserver.vault import DataKey, NotAuthentic, Vault

TICK_SECONDS: Final = 0.1
"""A chunk holds what came since the last tick (06-reliability 3.1 allows 200 ms)."""
SYNC_SECONDS: Final = 0.5
ROLL_SECONDS: Final = 20.0
SEAL_SECONDS: Final = 60.0
WATCH_SECONDS: Final = 5.0
"""How often the free space is looked at."""
DRAIN_SECONDS: Final = 1.0
"""How long the last records of taps are waited for at the end of a recording."""
QUIT_SECONDS: Final = 10.0
"""How long sealing may go on after the server said to end; the next start does the rest."""
MAX_MESSAGE_BYTES: Final = 64 * 1024
LOCK_SECONDS: Final = 10.0
"""How long an old recorder may take to end."""

Order = dict[str, Any]


@dataclass(slots=True)
class Running:
    """A recording that is being taken."""

    id: RecordingId
    key: DataKey
    manifest: Manifest
    start_micros: int
    intakes: dict[TrackId, Intake] = field(default_factory=dict)
    next_seal: float = 0.0
    next_roll: float = 0.0
    ending: tuple[str, float] | None = None
    """The state it ends with, and when its taps are waited for no longer."""


class Syncer(threading.Thread):
    """Brings journals to the disk every half second, and closes those that are complete."""

    def __init__(self, journals: Callable[[], list[Journal]], taken_to: Callable[[], float]) -> None:
        super().__init__(name="sync", daemon=True)
        self._journals = journals
        self._taken_to = taken_to
        self.synced_to = 0.0
        """The moment up to which all that taps brought is on the disk; seconds of the monotonic clock."""
        self._closing: list[Journal] = []
        self._lock = threading.Lock()
        self._over = threading.Event()

    def close(self, journals: list[Journal]) -> None:
        """These are complete."""
        with self._lock:
            self._closing += journals

    def run(self) -> None:
        """Until ``end``."""
        while not self._over.wait(SYNC_SECONDS):
            self.sync()

    def sync(self) -> None:
        """Once, now."""
        with self._lock:
            closing, self._closing = self._closing, []
            taken_to, whole = self._taken_to(), True
        for journal in [*self._journals(), *closing]:
            if journal.unsynced:
                # A full or failing disk shows itself when the next chunk is written.
                try:
                    journal.sync()
                except OSError:
                    whole = False
        for journal in closing:
            journal.close()
        if whole:
            self.synced_to = taken_to

    def end(self) -> None:
        """Stops the thread."""
        self._over.set()
        self.join()


class Recorder:
    """Carries out orders; ``run`` returns when the server is gone or says so."""

    def __init__(self, control: socket.socket, vault: Vault, roots: tuple[Path, ...], sealer: Sealer) -> None:
        self._control = control
        self._vault = vault
        self._locations = Locations(roots)
        self._ballast = Ballast(roots[0] / "ballast")
        self._sealer = sealer
        self._running: dict[RecordingId, Running] = {}
        self._failed: dict[RecordingId, tuple[float, str]] = {}
        """Recordings that ended and could not be sealed: when to try again, and their state."""
        self._forecast = Forecast()
        self._written = 0
        self._warned = False
        self._next_watch = 0.0
        self._open = True
        self._quitting: float | None = None
        self._lock = -1
        self._taken_to = 0.0
        """When the taps were last read to their ends."""
        self._told_synced = 0.0
        self._syncer = Syncer(self._journals, lambda: self._taken_to)

    # ---- Life ----

    def run(self) -> None:
        """Raises ``OSError`` when the first location cannot be used at all."""
        for root in self._locations.roots:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = take_lock(self._locations.roots[0])
        self._ballast.fill()
        self._control.setblocking(False)
        self._syncer.start()
        try:
            self._loop()
        finally:
            self._finish()

    def _loop(self) -> None:
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        due = time.monotonic()
        while self._open:
            poll.poll(max(0, round((due - time.monotonic()) * 1000)))
            self._take_orders()
            now = time.monotonic()
            if now >= due:
                self._tick(now)
                due = max(due + TICK_SECONDS, now + TICK_SECONDS / 2)

    def _finish(self) -> None:
        """The server is gone: what its taps hold is written, the rest is for the next start."""
        for running in self._running.values():
            for intake in running.intakes.values():
                self._drain(running, intake)
                intake.close()
                self._syncer.close(intake.retired)
        self._running.clear()
        self._syncer.end()
        self._syncer.sync()
        self._sealer.close(timeout=5.0)
        os.close(self._lock)

    def _journals(self) -> list[Journal]:
        found = [i.journal for r in list(self._running.values()) for i in list(r.intakes.values())]
        return [journal for journal in found if journal is not None]

    # ---- Orders ----

    def _take_orders(self) -> None:
        while True:
            try:
                message, descriptors, _, _ = socket.recv_fds(self._control, MAX_MESSAGE_BYTES, 4)
            except BlockingIOError:
                return
            except OSError:
                message, descriptors = b"", []
            if not message:
                self._open = False
                return
            self._order(json.loads(message), descriptors)

    def _order(self, order: Order, descriptors: list[int]) -> None:
        taps = [socket.socket(fileno=descriptor) for descriptor in descriptors]
        running = self._running.get(RecordingId(order.get("recording", "")))
        match order["do"]:
            case "recover":
                self._recover(set(order["except"]))
            case "start":
                self._start(order)
            case "track" if running is not None and taps:
                self._track(running, order, taps.pop())
            case "event" if running is not None:
                self._event(running, order)
            case "stop" if running is not None:
                running.ending = (order["state"], time.monotonic() + DRAIN_SECONDS)
            case "quit":
                self._quitting = time.monotonic() + QUIT_SECONDS
            case _:
                pass
        for tap in taps:
            tap.close()

    def _recover(self, taken: set[str]) -> None:
        """Seals what a crash left: everything that has no end and is not being taken."""
        for folder in folders(self._locations.roots[0]):
            lines = Manifest(folder, self._vault).lines()
            if folder.id in taken or any(line["type"] == "end" for line in lines):
                continue
            state = next((line["state"] for line in lines if line["type"] == "stopped"), "sealed")
            self._sealer.order(self._locations.roots, folder.id, now=None, state=state)

    def _start(self, order: Order) -> None:
        """Begins a recording, or goes on with one that another recorder began."""
        id = RecordingId(order["recording"])
        folder = RecordingFolder.of(self._locations.roots[0], id)
        manifest = Manifest(folder, self._vault)
        try:
            if (folder.path / "key").exists():
                key = folder.open_key(self._vault)
            else:
                folder.make()
                key = folder.create_key(self._vault)
                manifest.append({"type": "begin", **order["begin"]})
        except (OSError, NotAuthentic) as error:
            self._tell({"event": "failed", "recording": id, "reason": type(error).__name__})
            return
        now = time.monotonic()
        running = Running(id, key, manifest, order["begin"]["monotonic_micros"])
        running.next_roll, running.next_seal = now + ROLL_SECONDS, now + SEAL_SECONDS
        self._running[id] = running
        self._tell({"event": "started", "recording": id})

    def _track(self, running: Running, order: Order, tap: socket.socket) -> None:
        track = TrackId(order["track"])
        intake = running.intakes.get(track)
        if intake is None:
            lines = running.manifest.lines()
            if not any(line["type"] == "track" and line["track"] == track for line in lines):
                self._note(running, {"type": "track", "track": track, **order["source"]})
            intake = Intake(
                track, lambda t, n: self._open_journal(running, t, n), self._next_number(running, track)
            )
            running.intakes[track] = intake
        intake.add(tap)

    def _event(self, running: Running, order: Order) -> None:
        at = (order["monotonic_micros"] - running.start_micros) / 1_000_000
        self._note(running, {"type": "event", "at": at, "name": order["name"], **order.get("details", {})})

    def _note(self, running: Running, line: dict[str, Any]) -> None:
        try:
            running.manifest.append(line)
        except OSError:
            self._full()
            with contextlib.suppress(OSError):
                running.manifest.append(line)

    # ---- Ticks ----

    def _tick(self, now: float) -> None:
        for running in list(self._running.values()):
            for intake in running.intakes.values():
                self._drain(running, intake)
            if now >= running.next_roll:
                self._roll(running)
                running.next_roll = now + ROLL_SECONDS
            if running.ending is not None:
                self._end_when_drained(running, now)
            elif now >= running.next_seal and self._sealer.idle:
                axis = (time.monotonic_ns() // 1000 - running.start_micros) / 1_000_000
                self._sealer.order(self._roots(running), running.id, now=axis, state=None)
                running.next_seal = now + SEAL_SECONDS
        self._taken_to = now
        self._tell_synced()
        for outcome in self._sealer.outcomes():
            self._sealed(outcome)
        self._seal_again(now)
        if self._quitting is not None:
            done = self._sealer.idle and not self._running
            self._open = self._open and not done and now < self._quitting
        if now >= self._next_watch:
            self._watch(now)
            self._next_watch = now + WATCH_SECONDS

    def _tell_synced(self) -> None:
        synced_to = self._syncer.synced_to
        if self._running and synced_to > self._told_synced:
            self._told_synced = synced_to
            self._tell({"event": "synced", "monotonic_micros": round(synced_to * 1_000_000)})

    def _drain(self, running: Running, intake: Intake) -> None:
        before = intake.written
        try:
            intake.drain()
        except OSError:
            self._full()
            self._roll(running)
            try:
                intake.drain()
            except OSError:
                intake.abandon()
                self._tell({"event": "lost", "recording": running.id})
        self._written += intake.written - before

    def _roll(self, running: Running) -> None:
        for intake in running.intakes.values():
            intake.roll()
            self._syncer.close(intake.retired)
            intake.retired = []

    def _end_when_drained(self, running: Running, now: float) -> None:
        assert running.ending is not None  # asked by the caller
        state, deadline = running.ending
        if now < deadline and any(intake.live for intake in running.intakes.values()):
            return
        self._note(running, {"type": "stopped", "state": state})
        for intake in running.intakes.values():
            intake.close()
        self._roll(running)
        self._syncer.sync()
        del self._running[running.id]
        self._sealer.order(self._roots(running), running.id, now=None, state=state)
        self._tell({"event": "stopped", "recording": running.id, "state": state})

    def _sealed(self, outcome: dict[str, Any]) -> None:
        if outcome["failure"] is not None and outcome["state"] is not None:
            # Its journals are kept: with the ballast's room it may go, or once somebody made room.
            self._ballast.free()
            again = time.monotonic() + (SEAL_SECONDS if outcome["recording"] in self._failed else 0.0)
            self._failed[RecordingId(outcome["recording"])] = (again, outcome["state"])
        elif outcome["state"] is not None:
            self._failed.pop(RecordingId(outcome["recording"]), None)
        self._tell({"event": "sealed", **outcome})

    def _seal_again(self, now: float) -> None:
        for recording, (due, state) in list(self._failed.items()):
            if now >= due and self._sealer.idle:
                self._failed[recording] = (now + SEAL_SECONDS, state)
                self._sealer.order(self._locations.roots, recording, now=None, state=state)

    # ---- Disk ----

    def _roots(self, running: Running) -> list[Path]:
        others = [root for root in self._locations.roots[1:] if (root / running.id).is_dir()]
        return [self._locations.roots[0], *others]

    def _open_journal(self, running: Running, track: TrackId, number: int) -> Journal:
        folder = RecordingFolder.of(self._locations.root, running.id)
        folder.make()
        journal = Journal(folder.journal(track, number), running.key)
        sync_folder(journal.path.parent)
        return journal

    def _next_number(self, running: Running, track: TrackId) -> int:
        places = (RecordingFolder.of(root, running.id) for root in self._locations.roots)
        numbers = [number for place in places for number, _ in place.journals().get(track, [])]
        return max(numbers, default=-1) + 1

    def _full(self) -> None:
        """A write failed: make room for what ends recordings, and go on elsewhere."""
        self._ballast.free()
        full = self._locations.current
        elsewhere = self._locations.next()
        self._tell({"event": "disk_full", "location": full, "elsewhere": elsewhere})

    def _watch(self, now: float) -> None:
        self._forecast.add(now, self._written)
        with contextlib.suppress(OSError):
            free = free_bytes(self._locations.root)
            left = self._forecast.seconds_left(free)
            if left < WARN_SECONDS and not self._warned:
                self._tell({"event": "disk_low", "seconds_left": round(left), "free_bytes": free})
            self._warned = left < WARN_SECONDS
            figures = {"written": self._written, "free_bytes": free, "rate": round(self._forecast.rate())}
            self._tell({"event": "figures", **figures})

    def _tell(self, message: dict[str, Any]) -> None:
        # A server that does not read, or is gone, is told nothing; the manifest has it.
        with contextlib.suppress(OSError):
            self._control.send(json.dumps(message).encode())


def take_lock(root: Path) -> int:
    """One recorder at a time: waits for one that is about to end. Raises ``TimeoutError``."""
    descriptor = os.open(root / ".recorder.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise TimeoutError("another recorder uses this folder") from None
            time.sleep(0.02)
        else:
            return descriptor
