"""The operators' desk: once a second it samples every leg, names causes, raises alerts, writes the history.

Nothing on the way of media waits for it. A second that fails is logged, and the next one is tried.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

import structlog

from mediaserver import __version__
from mediaserver.alerts.alerts import QUIET_MS, Alerts, News
from mediaserver.alerts.lasting import Lasting
from mediaserver.alerts.webhooks import Webhooks
from mediaserver.cause.classifier import ServerFacts, classify, disk, overload, silence
from mediaserver.errors import HistoryUnavailable, UnknownRoom
from mediaserver.ids import ParticipantId
from mediaserver.layers import Decision
from mediaserver.operations.facts import Disk, LoopLag, Workers
from mediaserver.operations.interlock import live_surgeries
from mediaserver.operations.live import LiveRoom, first_alert, first_look
from mediaserver.operations.measures import Measures
from mediaserver.operations.model import (
    Alert,
    Board,
    CanaryReading,
    PictureReading,
    PictureWatch,
    RoomDetail,
    ServerState,
    TimelineEvent,
    WorkerLoad,
)
from mediaserver.operations.timeline import scene
from mediaserver.quality_history.delay import arrivals
from mediaserver.quality_history.figures import Difference, Snapshot, difference
from mediaserver.quality_history.reading import sample
from mediaserver.quality_history.store import HistoryStore
from mediaserver.room import Room
from mediaserver.session import Registry, Session
from mediaserver.store.rooms import RoomNames
from mediaserver.tasks import end_tasks, next_beat

SAMPLE_SECONDS = 1.0
STALE_AFTER_SECONDS = 15
"""A board older than this is shown in red."""
HISTORY_FILE = "history.db"

_log = structlog.stdlib.get_logger(__name__)


class RecorderFigures(Protocol):
    """What the desk asks a recorder."""

    @property
    def lag_seconds(self) -> float | None:
        """How far the disk is behind the media; None while nothing is recorded."""

    @property
    def failed(self) -> bool:
        """Something that should be recorded is not."""

    def clock_ms(self, room: str) -> int | None:
        """Unix time in milliseconds by the clock of what is recorded there; None: nothing is."""


class ProbeFigures(Protocol):
    """What the desk asks a probe of pictures."""

    starts: int
    """Of its process."""
    looks_begun: int

    def figures(self) -> PictureWatch:
        """How much it looks at."""

    def looked_ms(self, publication: str) -> int | None:
        """When it last looked at this one."""

    async def thumbnail(self, publication: str) -> bytes:
        """JPEG. Raises ``LimitReached``, ``PictureNotWatched``, ``NoPictureYet``."""

    @property
    def unwatched(self) -> Counter[str]:
        """Sources that nobody looks at, by reason."""


class Desk:
    """One process's. Everything runs on the event loop but the history's writer thread."""

    def __init__(
        self,
        registry: Registry,
        rooms: RoomNames,
        *,
        draining: Callable[[], bool] = lambda: False,
        decided: Callable[[ParticipantId], Decision | None],
    ) -> None:
        """``decided``: what a participant was last decided to be sent, and why."""
        settings = registry.settings
        self._registry = registry
        self._draining = draining
        self._decided = decided
        self.store = HistoryStore(
            settings.data.folder / HISTORY_FILE,
            rooms,
            max_bytes=settings.history.max_bytes,
            keep_days=settings.history.keep_days,
        )
        self.alerts = Alerts()
        self.webhooks = Webhooks(settings.alerts, self.store.database)
        self.lag = LoopLag()
        self.workers = Workers()
        self.disk = Disk(settings.data.folder)
        self.measures = Measures()
        self.recorder: RecorderFigures | None = None
        self.probe: ProbeFigures | None = None
        self._canary: CanaryReading | None = None
        self._pictures: dict[str, PictureReading] = {}
        self._live: dict[str, LiveRoom] = {}
        self._server = Lasting()
        self._before: Difference | None = None
        self._sampled_at: float | None = None
        self._sampled_ms: int | None = None

    # ---- Life ----

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs while the context lasts; at its end everything is written."""
        try:
            now_ms = _now_ms()
            left = self.store.start(now_ms, QUIET_MS)
            self.webhooks.load()
            self._tell(self.alerts.take_up(left.alerts, left.last_ms, now_ms))
        except HistoryUnavailable as error:
            _log.error("operators have no history", reason=error.message)
        tasks = [asyncio.create_task(work) for work in (self._sample(), self.disk.run(), self.webhooks.run())]
        try:
            yield
        finally:
            await end_tasks(tasks)
            self.close_rooms(_now_ms())
            await asyncio.to_thread(self.store.stop)

    async def _sample(self) -> None:
        due = next_beat(time.monotonic() + SAMPLE_SECONDS, SAMPLE_SECONDS)
        while True:
            await self.lag.wait(due)
            try:
                self.second(self._registry.plane.stats(), time.monotonic(), _now_ms())
            except Exception:
                _log.exception("a second of the history was lost")
            # What was missed is not made up for, and no sample is of much less than a second.
            due = next_beat(time.monotonic() + SAMPLE_SECONDS / 2, SAMPLE_SECONDS)

    # ---- One second ----

    def second(self, snapshot: Snapshot, now: float, at_ms: int) -> None:
        """Samples everything once. ``now``: the steady clock by which claims were taken."""
        elapsed = SAMPLE_SECONDS if self._sampled_at is None else now - self._sampled_at
        found = difference(snapshot, elapsed, self._before)
        self._sampled_at = now
        fresh = found.fresh
        if fresh:
            self._before = found
        self.workers.second(found)
        sessions = self._by_room()
        for id in [
            id for id, live in self._live.items() if self._registry.rooms.get(live.room.id) is not live.room
        ]:
            self._end(self._live.pop(id), at_ms)
        for room in list(self._registry.rooms.values()):
            try:
                self._room(room, sessions.get(room.id, []), found, now, at_ms)
            except Exception:
                # One room's trouble blinds nobody to the others.
                _log.exception("a room's second was lost", room=room.id)
                if (live := self._live.get(room.id)) is not None:
                    live.missed(at_ms)
        self._of_server(at_ms)
        self._sampled_ms = at_ms
        self.store.keep_house(now, at_ms)

    def _by_room(self) -> dict[str, list[Session]]:
        sessions: dict[str, list[Session]] = {}
        for session in self._registry.sessions.values():
            sessions.setdefault(session.room.id, []).append(session)
        return sessions

    def _room(
        self,
        room: Room,
        sessions: Sequence[Session],
        found: Difference,
        now: float,
        at_ms: int,
    ) -> None:
        live = self._live.get(room.id) or self._open(room, at_ms)
        if room.clinical_class is not None and room.clinical_class != live.clinical_class:
            live.clinical_class = room.clinical_class
            self.store.reclassify(live.span, room.clinical_class)
        arrived = arrivals(live.samples)
        recorded_ms = None if self.recorder is None else self.recorder.clock_ms(room.id)
        recording = recorded_ms is not None
        # What each viewer got lies beside the recording: no clock that is set may part them.
        kept_ms = at_ms if recorded_ms is None else recorded_ms
        samples = [
            sample(
                session,
                found,
                kept_ms,
                now,
                pictures=self._pictures,
                arrived=arrived,
                decided=self._decided(session.participant.id),
            )
            for session in sessions
        ]
        findings = classify(samples, self._facts(room.worker, recording=recording))
        seen = scene(room, samples, recording=recording)
        events = live.second(samples, findings, seen, at_ms)
        for one in samples:
            self.measures.saw(one)
        self.store.add_samples(live.span, kept_ms, samples)
        self.store.add_events(live.span, events)
        # What is the whole server's trouble is one alert, not one for each of its rooms.
        lasting = [
            one for one in live.lasting.current() if one.cause not in ("server_overload", "recording_disk")
        ]
        self._tell(self.alerts.second(room.id, live.used_for, lasting, at_ms))

    def _open(self, room: Room, at_ms: int) -> LiveRoom:
        span = self.store.open_span(room.id, room.clinical_class, at_ms)
        live = self._live[room.id] = LiveRoom(room, span, at_ms, room.clinical_class)
        self.store.add_events(span, [TimelineEvent(at_ms=at_ms, kind="room_opened")])
        return live

    def _end(self, live: LiveRoom, at_ms: int) -> None:
        self.store.add_events(live.span, live.end(at_ms))
        self.store.close_span(live.span, at_ms)
        self._tell(self.alerts.second(live.room.id, live.used_for, [], at_ms))

    def close_rooms(self, at_ms: int) -> None:
        """The process ends: so does every room's span."""
        for id in list(self._live):
            self._end(self._live.pop(id), at_ms)

    def _of_server(self, at_ms: int) -> None:
        facts = self._facts(None, recording=True)
        of_canary = silence(self._canary.silent_seconds if self._canary else None)
        found = [one for one in (overload(facts), disk(facts), of_canary) if one is not None]
        self._server.second(found, at_ms)
        self._tell(self.alerts.second(None, None, self._server.current(), at_ms))
        self._tell(self.alerts.forget(at_ms))

    def _facts(self, worker: int | None, *, recording: bool) -> ServerFacts:
        """Of one worker, or of the busiest."""
        workers = self.workers

        def figure(values: Sequence[float | None]) -> float | None:
            if worker is not None:
                return values[worker] if worker < len(values) else None
            return max((value for value in values if value is not None), default=None)

        return ServerFacts(
            worker_load_ratio=figure(workers.load),
            event_loop_lag_seconds=self.lag.last_seconds,
            forward_delay_p99_seconds=figure(workers.delay_p99),
            send_drops_ratio=figure(workers.drops),
            recording=recording,
            recording_lag_seconds=self.recorder.lag_seconds if self.recorder else None,
            recording_failed=self.recorder is not None and self.recorder.failed,
            disk_free_bytes=self.disk.free_bytes,
            disk_forecast_seconds=self.disk.forecast_seconds,
        )

    def _tell(self, news: Sequence[News]) -> None:
        for one in news:
            if one.told is not None:
                self.webhooks.tell(one.alert, one.told)
                _log.warning(
                    f"alert {one.told}",
                    cause=one.alert.cause.cause,
                    severity=one.alert.severity,
                    room=one.alert.room,
                )
            # Last: what a crash keeps from being put is told again, under the same id.
            self.store.put_alert(one.alert)

    # ---- What others tell the desk ----

    def picture_seen(self, publication: str, verdict: PictureReading | None) -> None:
        """What the picture probe sees of a publication, if it looks at it; None: all is well."""
        if verdict is None:
            self._pictures.pop(publication, None)
        else:
            self._pictures[publication] = verdict

    def canary_seen(self, reading: CanaryReading | None) -> None:
        """What the canary last saw; None: there is none any more."""
        self._canary = reading

    # ---- What operators ask the desk ----

    @property
    def live(self) -> list[LiveRoom]:
        """Rooms as of the last second."""
        return list(self._live.values())

    @property
    def canary(self) -> CanaryReading | None:
        """The last reading."""
        return self._canary

    def board(self, allowed: Callable[[str], bool] = lambda _: True) -> Board:
        """All rooms that the asker may see, in the order in which to look at them."""
        live = [one for one in self._live.values() if allowed(one.room.id)]
        return Board(
            at_ms=_now_ms(),
            sampled_at_ms=self._sampled_ms,
            stale_after_seconds=STALE_AFTER_SECONDS,
            rows=sorted((one.row() for one in live), key=first_look),
            live_surgeries=live_surgeries(room for id, room in self._registry.rooms.items() if allowed(id)),
            open_alerts=len(self.open_alerts(allowed)),
            server=self._state(),
            canary=self._canary,
        )

    def open_alerts(self, allowed: Callable[[str], bool] = lambda _: True) -> list[Alert]:
        """Of those rooms and of the server, in the order in which to look at them; whatever the history
        holds or cannot."""
        found = [one for one in self.alerts.open() if one.room is None or allowed(one.room)]
        return sorted(found, key=first_alert)

    def room(self, id: str) -> RoomDetail:
        """One room that stands. Raises ``UnknownRoom``."""
        live = self._live.get(id)
        if live is None:
            raise UnknownRoom
        return RoomDetail(
            at_ms=_now_ms(),
            sampled_at_ms=self._sampled_ms,
            row=live.row(),
            participants=live.participants(),
            looked_ms=self._looked(live.room),
        )

    def _looked(self, room: Room) -> dict[str, int]:
        if self.probe is None:
            return {}
        looked = {id: self.probe.looked_ms(id) for id in room.publications}
        return {id: at_ms for id, at_ms in looked.items() if at_ms is not None}

    def _state(self) -> ServerState:
        rooms = [live.room.worker for live in self._live.values()]
        return ServerState(
            version=__version__,
            draining=self._draining(),
            workers=[
                WorkerLoad(worker=index, load_ratio=round(load, 4), rooms=rooms.count(index))
                for index, load in enumerate(self.workers.load)
            ],
            event_loop_lag_seconds=self.lag.longest_seconds,
            recording_lag_seconds=self.recorder.lag_seconds if self.recorder else None,
            disk_free_bytes=self.disk.free_bytes,
            disk_forecast_seconds=self.disk.forecast_seconds,
            history_queue=self.store.database.queued,
            history_dropped=self.store.lost,
            pictures=self.probe.figures() if self.probe else None,
        )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
