"""The recorder process: taps in, journals out, sealing in between.

Every tick one thread reads what waits in the taps and has it appended at once, so what a kill costs is what a
tick has in its hands. It waits for a disk two seconds at most and then goes on at the next location
(``mediaserver/recording/location.py``). Orders come from the server as messages of a socket, taps as
descriptors with them; when the server is gone, what the taps still hold is written and the process ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import time
from collections.abc import Iterator, Sequence
from errno import EDQUOT, ENOSPC
from functools import partial
from pathlib import Path
from typing import Any, Final

from mediaserver.ids import RecordingId, TrackId
from mediaserver.lock import try_lock
from mediaserver.recording.disk import WARN_SECONDS, WATCH_SECONDS, Ballast, Forecast, free_bytes
from mediaserver.recording.folder import RecordingFolder
from mediaserver.recording.intake import Intake
from mediaserver.recording.location import Location, Locations, Stalled
from mediaserver.recording.manifest import Line
from mediaserver.recording.running import Ending, Running
from mediaserver.recording.sealer import Sealer
from mediaserver.vault import NotAuthentic, Vault

NICENESS: Final = 5
"""Behind the media workers, before sealing."""
TICK_SECONDS: Final = 0.1
"""A chunk holds what came since the last tick (06-reliability 3.1 allows 200 ms)."""
TURNS: Final = 5
"""A tick's tracks are written in so many turns at most: all at once would keep a processor from whatever is
forwarded for milliseconds, one by one would cost twice the time."""
ROLL_SECONDS: Final = 20.0
SEAL_SECONDS: Final = 60.0
DRAIN_SECONDS: Final = 1.0
"""How long the last records of taps are waited for at the end of a recording."""
QUIT_SECONDS: Final = 10.0
"""How long sealing may go on after the server said to end; the next start does the rest."""
MAX_MESSAGE_BYTES: Final = 64 * 1024
LOCK_SECONDS: Final = 10.0
"""How long an old recorder may take to end."""

Order = dict[str, Any]


class Recorder:
    """Carries out orders; ``run`` returns when the server is gone or says so."""

    def __init__(self, control: socket.socket, vault: Vault, roots: tuple[Path, ...], sealer: Sealer) -> None:
        self._control = control
        self._vault = vault
        self._locations = Locations(roots)
        self._ballast = Ballast(roots[0] / "ballast")
        self._sealer = sealer
        self._running: dict[RecordingId, Running] = {}
        self._recovering: list[Sealer] = []
        """Workers that seal what a crash left, one a processor, so that what is being taken does not wait."""
        self._failed: dict[RecordingId, tuple[float, str]] = {}
        """Recordings that ended and could not be sealed: when to try again, and their state."""
        self._lost: dict[RecordingId, float] = {}
        """When it was last told that something could be written nowhere."""
        self._lag = 0.0
        """The longest that anything waited for a disk since it was last told, in seconds."""
        self._forecast = Forecast()
        self._written = 0
        self._warned = False
        self._told: set[str] = set()
        """What was told of the last location, from which there is nowhere to go."""
        self._next_watch = 0.0
        self._turns = 1
        """Of this tick."""
        self._next_turn = 0
        self._open = True
        self._quitting: float | None = None
        self._lock = -1

    # ---- Life ----

    def run(self) -> None:
        """Raises ``OSError`` when the first location cannot be used at all."""
        for root in self._locations.roots:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = take_lock(self._locations.roots[0])
        self._ballast.fill()
        self._control.setblocking(False)
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
                seconds = TICK_SECONDS / self._turns
                self._turn(now)
                due = max(due + seconds, now + seconds / 2)

    def _finish(self) -> None:
        """The server is gone: what its taps hold is written, the rest is for the next start."""
        for running in self._running.values():
            self._write(running, time.monotonic(), list(running.intakes.values()))
            with contextlib.suppress(OSError):
                running.write_notes()
            running.close()
        self._running.clear()
        self._locations.end()
        for sealer in (self._sealer, *self._recovering):
            sealer.close(timeout=5.0)
        os.close(self._lock)

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
                self._recover(order["states"])
            case "start":
                self._start(order)
            case "track" if running is not None and taps:
                self._track(running, order, taps.pop())
            case "event" if running is not None:
                self._event(running, order)
            case "stop" if running is not None:
                running.ending = Ending(order["state"], time.monotonic() + DRAIN_SECONDS)
            case "quit":
                self._quitting = time.monotonic() + QUIT_SECONDS
            case _:
                pass
        for tap in taps:
            tap.close()

    def _recover(self, states: dict[RecordingId, str]) -> None:
        """Seals what a crash left, each to end in the state that the server says; said again, that holds
        which was said last before its round begins."""
        for recording, state in states.items():
            if recording in self._failed:
                self._failed[recording] = (self._failed[recording][0], state)
            elif recording not in self._running:
                sealer = self._recovering_sealer(recording)
                sealer.order(self._locations.roots, recording, now=None, state=state)

    def _recovering_sealer(self, recording: RecordingId) -> Sealer:
        """The one that has it already, another as long as there are processors, the least busy."""
        for sealer in self._recovering:
            if recording in sealer.waiting:
                return sealer
        if len(self._recovering) < (os.cpu_count() or 1):
            self._recovering.append(self._sealer.another())
            return self._recovering[-1]
        return min(self._recovering, key=lambda one: len(one.waiting))

    def _start(self, order: Order) -> None:
        """Begins a recording, or goes on with one that another recorder began."""
        id = RecordingId(order["recording"])
        try:
            running = self._opened(id, order["begin"])
        except (OSError, NotAuthentic) as error:
            self._tell({"event": "failed", "recording": id, "reason": type(error).__name__})
            return
        now = time.monotonic()
        running.where = self._locations.current
        running.next_roll, running.next_seal = now + ROLL_SECONDS, now + SEAL_SECONDS
        self._running[id] = running
        self._tell({"event": "started", "recording": id})

    def _opened(self, id: RecordingId, begin: Line) -> Running:
        """Where its key lies, or in the first location that takes it. Raises ``OSError``,
        ``NotAuthentic``."""
        for location in self._locations.all:
            if self._is_there(location, id):
                return Running.open(id, begin, location, self._vault)
        while True:
            try:
                return Running.open(id, begin, self._locations.current, self._vault)
            except OSError as error:
                if not self._leave(self._locations.current, error):
                    raise

    def _is_there(self, location: Location, id: RecordingId) -> bool:
        key = RecordingFolder.of(location.root, id).path / "key"
        with contextlib.suppress(OSError):
            return location.do(key.exists)
        return False

    def _track(self, running: Running, order: Order, tap: socket.socket) -> None:
        track = TrackId(order["track"])
        number = self._next_number(running, track) if track not in running.intakes else 0
        with self._making_room(running):
            running.intake(track, order["source"], number)
        running.intakes[track].add(tap)

    def _event(self, running: Running, order: Order) -> None:
        at = (order["monotonic_micros"] - running.start_micros) / 1_000_000
        self._note(running, {"type": "event", "at": at, "name": order["name"], **order.get("details", {})})

    def _note(self, running: Running, line: Line) -> None:
        with self._making_room(running):
            running.note(line)

    @contextlib.contextmanager
    def _making_room(self, running: Running) -> Iterator[None]:
        """What the manifest has no room for finds it where the ballast was."""
        try:
            yield
        except OSError as error:
            self._leave(running.home, error)
            with contextlib.suppress(OSError):
                running.write_notes()

    # ---- Ticks ----

    def _turn(self, now: float) -> None:
        """Writes the next tracks; after a tick's last, does what else there is to do in a tick."""
        tracks = 0
        for running in self._running.values():
            first = (self._next_turn - tracks) % self._turns
            self._write(running, now, list(running.intakes.values())[first :: self._turns])
            tracks += len(running.intakes)
        self._next_turn += 1
        if self._next_turn >= self._turns:
            self._tick(now)
            self._next_turn, self._turns = 0, max(1, min(tracks, TURNS))

    def _tick(self, now: float) -> None:
        for running in list(self._running.values()):
            if now >= running.next_roll:
                running.roll()
                running.next_roll = now + ROLL_SECONDS
            with contextlib.suppress(OSError):
                running.write_notes()
            if running.ending is not None:
                self._end_when_drained(running, now)
            elif now >= running.next_seal and self._sealer.idle:
                axis = (time.monotonic_ns() // 1000 - running.start_micros) / 1_000_000
                self._sealer.order(self._locations.roots, running.id, now=axis, state=None)
                running.next_seal = now + SEAL_SECONDS
        for sealer in (self._sealer, *self._recovering):
            for outcome in sealer.outcomes():
                self._sealed(outcome)
        self._end_recovering()
        self._seal_again(now)
        if self._quitting is not None:
            done = self._sealer.idle and not self._recovering and not self._running
            self._open = self._open and not done and now < self._quitting
        if now >= self._next_watch:
            self._watch(now)
            self._next_watch = now + WATCH_SECONDS

    def _write(self, running: Running, now: float, intakes: Sequence[Intake]) -> None:
        for intake in intakes:
            intake.take(now)
        while True:
            if running.where is not self._locations.current:
                running.move(self._locations.current)
            try:
                self._written += running.write(intakes)
            except OSError as error:
                if self._leave(running.where, error):
                    continue
                if not isinstance(error, Stalled):  # what stalls may come back
                    for intake in intakes:
                        intake.let_go()
                    self._tell_lost(running.id, now)
            break
        self._lag = max(self._lag, running.waiting_seconds(time.monotonic()))
        if records := running.missed():
            self._tell({"event": "missed", "recording": running.id, "records": records})

    def _tell_lost(self, recording: RecordingId, now: float) -> None:
        if now - self._lost.get(recording, -WATCH_SECONDS) >= WATCH_SECONDS:
            self._lost[recording] = now
            self._tell({"event": "lost", "recording": recording})

    def _end_when_drained(self, running: Running, now: float) -> None:
        """Ends it once all that was taken is in journals and all that was noted in the manifest, however long
        a disk stalls: a track whose line is lost could not be sealed."""
        ending = running.ending
        assert ending is not None  # asked by the caller
        if now >= ending.deadline:
            running.end_taps()
        if running.live:
            return
        if not ending.noted:
            ending.noted = True
            self._note(running, {"type": "stopped", "state": ending.state})
        with contextlib.suppress(OSError):
            if running.write_notes():
                self._end(running, ending.state)

    def _end(self, running: Running, state: str) -> None:
        running.close()
        del self._running[running.id]
        self._sealer.order(self._locations.roots, running.id, now=None, state=state)
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

    def _end_recovering(self) -> None:
        for sealer in [one for one in self._recovering if one.idle]:
            self._recovering.remove(sealer)
            sealer.close(timeout=1.0)

    def _seal_again(self, now: float) -> None:
        for recording, (due, state) in list(self._failed.items()):
            if now >= due and self._sealer.idle:
                self._failed[recording] = (now + SEAL_SECONDS, state)
                self._sealer.order(self._locations.roots, recording, now=None, state=state)

    # ---- Disk ----

    def _next_number(self, running: Running, track: TrackId) -> int:
        numbers = [0]
        for location in self._locations.all:
            folder = RecordingFolder.of(location.root, running.id)
            with contextlib.suppress(Stalled):
                numbers.append(location.do(partial(folder.next_number, track)))
        return max(numbers)

    def _leave(self, location: Location, error: OSError) -> bool:
        """A call on this location failed: makes room for what ends recordings, and goes on elsewhere. False
        when there is nowhere to go."""
        if location is not self._locations.current:
            return True
        if isinstance(error, Stalled):
            what = "disk_stalled"
        else:
            what = "disk_full" if error.errno in (ENOSPC, EDQUOT) else "disk_failed"
            self._ballast.free()
        number = self._locations.number
        elsewhere = self._locations.next()
        if elsewhere or what not in self._told:
            self._tell({"event": what, "location": number, "elsewhere": elsewhere})
            self._told.add(what)
        return elsewhere

    def _return(self, now: float) -> None:
        """To an earlier location that is well again; and the ballast, once there is room for it."""
        if self._locations.back(now):
            self._told.clear()
            self._tell({"event": "disk_back", "location": self._locations.number})
        if self._locations.number == 0:
            with contextlib.suppress(OSError):
                self._locations.current.do(self._ballast.fill)

    def _watch(self, now: float) -> None:
        self._return(now)
        self._forecast.add(now, self._written)
        location = self._locations.current
        figures: dict[str, Any] = {
            "written": self._written,
            "rate": round(self._forecast.rate()),
            "lag_seconds": round(self._lag, 3),
        }
        self._lag = 0.0
        with contextlib.suppress(OSError):
            free = location.do(lambda: free_bytes(location.root))
            left = self._forecast.seconds_left(free)
            if left < WARN_SECONDS and not self._warned:
                self._tell({"event": "disk_low", "seconds_left": round(left), "free_bytes": free})
            self._warned = left < WARN_SECONDS
            figures |= {"free_bytes": free, "seconds_left": None if left == float("inf") else round(left)}
        self._tell({"event": "figures", **figures})

    def _tell(self, message: dict[str, Any]) -> None:
        # A server that does not read, or is gone, is told nothing; the manifest has it.
        with contextlib.suppress(OSError):
            self._control.send(json.dumps(message).encode())


def take_lock(root: Path) -> int:
    """One recorder at a time: waits for one that is about to end. Raises ``TimeoutError``."""
    deadline = time.monotonic() + LOCK_SECONDS
    while (descriptor := try_lock(root / ".recorder.lock")) is None:
        if time.monotonic() > deadline:
            raise TimeoutError("another recorder uses this folder")
        time.sleep(0.02)
    return descriptor
