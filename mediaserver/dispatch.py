"""What the data plane tells, and what each event leads to. Called by the server alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import assert_never

import structlog

from mediaserver import subscribe_side, watch_side
from mediaserver._dataplane import (
    Bandwidth,
    Closed,
    ConsentLost,
    DtlsDatagram,
    Event,
    LayerForwarded,
    LayersChanged,
    PathChanged,
    Stalled,
    TransportReady,
    WorkerFailed,
)
from mediaserver.adaptation.turn import Adaptation
from mediaserver.bucket import TokenBucket
from mediaserver.events import ClosingReason, TransportPhase, TransportState
from mediaserver.events import LayerForwarded as LayerForwardedEvent
from mediaserver.metrics import Metrics
from mediaserver.policy import Right
from mediaserver.room import Effect, Room
from mediaserver.session import Registry, Session
from mediaserver.transport.data_channels import DataChannels
from mediaserver.transport.transport import Transport

_log = structlog.stdlib.get_logger(__name__)

RELAYS_PER_SECOND = 600
"""Data-channel messages passed on for one participant, counted at each listener, on average; twice as many at
once. Ten listeners get a pointer's every move. Each costs some 0.2 ms of the one thread that all share."""

Apply = Callable[[Room, Sequence[Effect]], None]
TransportOver = Callable[[Session, Transport], None]
Close = Callable[[Session, ClosingReason | None, bool], None]


class Dispatcher:
    """One function per event; unknown handles are those of things that ended meanwhile."""

    def __init__(
        self,
        registry: Registry,
        adaptation: Adaptation,
        apply: Apply,
        transport_over: TransportOver,
        close: Close,
        metrics: Metrics,
    ) -> None:
        self._registry = registry
        self._adaptation = adaptation
        self._apply = apply
        self._transport_over = transport_over
        self._close = close
        self._metrics = metrics

    def dispatch(self, event: Event) -> None:  # noqa: C901 - one flat case per event
        """Raises ``LoupeError`` for a publication that ended meanwhile."""
        match event:
            case DtlsDatagram(handle, payload):
                if (entry := self._registry.transports.get(handle)) is not None:
                    entry[1].receive(payload)
            case TransportReady(handle):
                self._path_found(handle)
            case ConsentLost(handle):
                self._consent_lost(handle)
            case Closed(handle, reason):
                self._closed(handle, reason)
            case LayersChanged() | Stalled():
                self._publication_changed(event)
            case LayerForwarded(handle, layer):
                self._layer_forwarded(handle, layer)
            case WorkerFailed(worker, reason):
                self._worker_failed(worker, reason)
            case PathChanged(handle):
                self._path_changed(handle)
            case Bandwidth(handle, estimate, link):
                self._adaptation.heard(handle, estimate, link)
            case _:
                assert_never(event)

    def connected(self, session: Session, transport: Transport) -> None:
        """The handshake has ended well: says so, and starts what waits for this transport."""
        if transport.phase == "closed":
            return
        self._tell_phase(session, transport, "connected")
        if transport.direction == "subscribe":
            transport.waits_for_media_since = time.monotonic()
            subscribe_side.start(self._registry, session)
            watch_side.refresh(self._registry, session)

    async def relay(self, session: Session, transport: Transport) -> None:
        """Passes what one participant says on a data channel to the others of the room that have it.

        The payload as it is and nothing besides, if the sender may chat.
        """
        channels, budget = transport.data, TokenBucket(RELAYS_PER_SECOND, 2 * RELAYS_PER_SECOND)
        while channels is not None and (message := await channels.get()) is not None:
            if Right.CHAT not in session.participant.rights:
                channels.refuse("not_permitted")
                continue
            listeners = self._listeners(session, message.label)
            if not budget.take(time.monotonic(), len(listeners)):
                channels.refuse("fan_out")
                continue
            for listener in listeners:
                listener.send(message.label, message.payload)

    def _listeners(self, speaker: Session, label: str) -> list[DataChannels]:
        """The others of the room who have this channel open."""
        found = []
        for member in speaker.room.members:
            other = self._registry.sessions.get(member)
            if other is None or other is speaker or other.publishing is None:
                continue
            channels = other.publishing.transport.data
            if channels is not None and channels.is_open(label):
                found.append(channels)
        return found

    def _tell_phase(self, session: Session, transport: Transport, phase: TransportPhase) -> None:
        if transport.phase in (phase, "closed"):
            return
        transport.phase = phase
        if session.http is None:
            session.participant.outbox.put(TransportState(transport.direction, phase))

    def _path_found(self, handle: int) -> None:
        entry = self._registry.transports.get(handle)
        if entry is None:
            return
        session, transport = entry
        transport.path_found()
        if transport.phase == "interrupted":
            self._tell_phase(session, transport, "connected")

    def _path_changed(self, handle: int) -> None:
        # The plane counts them (loupe_ice_path_changes_total); whence and whither is nobody's business.
        entry = self._registry.transports.get(handle)
        if entry is not None:
            session, transport = entry
            transport.path_changes += 1
            _log.info("path moved", participant=session.participant.id, direction=transport.direction)

    def _layer_forwarded(self, handle: int, layer: int | None) -> None:
        found = self._registry.subscriptions.get(handle)
        if found is None:
            return
        session, publication, _ = found
        side = session.subscribing or session.watching
        if layer is not None and side is not None and side.transport.waits_for_media_since is not None:
            self._metrics.join_stage("media", time.monotonic() - side.transport.waits_for_media_since)
            side.transport.waits_for_media_since = None
        if session.http is None:
            session.participant.outbox.put(LayerForwardedEvent(publication, layer))

    def _consent_lost(self, handle: int) -> None:
        entry = self._registry.transports.get(handle)
        if entry is not None and entry[1].phase == "connected":
            self._tell_phase(*entry, "interrupted")

    def _closed(self, handle: int, reason: str) -> None:
        entry = self._registry.transports.get(handle)
        if entry is not None:
            _log.info("transport ended", participant=entry[0].participant.id, reason=reason)
            self._transport_over(*entry)

    def _publication_changed(self, event: LayersChanged | Stalled) -> None:
        entry = self._registry.publications.get(event.publication)
        if entry is None:
            return
        room, publication = entry
        self._registry.unsettle(event.publication)
        if isinstance(event, LayersChanged):
            self._apply(room, room.layers_changed(publication, tuple(event.active)))
        else:
            self._apply(room, room.stalled(publication, event.silent_ms))

    def _worker_failed(self, worker: int, reason: str) -> None:
        """All rooms of that worker end; their participants may come back and will be placed elsewhere."""
        _log.error("media worker failed", worker=worker, reason=reason)
        self._registry.plane.lost(worker)
        for session in list(self._registry.sessions.values()):
            if session.room.worker == worker:
                self._close(session, "worker_failed", True)
        for name, room in list(self._registry.rooms.items()):
            if room.worker == worker:
                # Not kept for its minute: whoever comes back needs a room on a living worker.
                del self._registry.rooms[name]
