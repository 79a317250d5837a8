"""The loop of layer choice: one snapshot of the meters a second for all, and a decision for a viewer only
when something they depend on changed.

On good links nothing of this runs but the snapshot: a viewer who has everything, on a link with room to
spare, is decided about when their room or their wishes change (``Viewer.heard``).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

import structlog

from mediaserver._dataplane import LinkState
from mediaserver.adaptation import legs
from mediaserver.adaptation.demands import demands, subscriptions, transport_of
from mediaserver.adaptation.meters import Meters
from mediaserver.adaptation.uplinks import Looking, Uplinks
from mediaserver.adaptation.viewer import Viewer
from mediaserver.events import Quality, SendingWanted
from mediaserver.ids import ParticipantId, PublicationId
from mediaserver.layers import Choice, Decision, Demand, Forward, Pause
from mediaserver.room import Effect, Publication, Room, Tell
from mediaserver.session import Registry, Session
from mediaserver.tasks import next_beat
from mediaserver.transport.transport import Transport

METER_SECONDS = 1.0
"""Between snapshots; also the least time between two words about a viewer's quality."""

TIMER_SECONDS = 0.001
"""The loop's timers count whole milliseconds and may be early: a turn before its time would be another."""

_log = structlog.stdlib.get_logger(__name__)

Apply = Callable[[Room, Sequence[Effect]], None]


class Adaptation:
    """Chooses layers for everybody who watches, for as long as the server runs."""

    def __init__(self, registry: Registry, apply: Apply) -> None:
        self._registry = registry
        self._apply = apply
        self._viewers: dict[ParticipantId, Viewer] = {}
        self._meters = Meters()
        self._uplinks = Uplinks()
        self._meter_at = 0.0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._registry.unsettled.wait(self.next_at() - time.monotonic() + TIMER_SECONDS)
            try:
                self.turn(time.monotonic())
            except Exception:
                # One viewer's trouble must not end the choice for all.
                _log.exception("layers were not chosen")
                await asyncio.sleep(METER_SECONDS)

    # ---- What the plane tells ----

    def heard(self, transport: int, estimate: int, link: LinkState) -> None:
        """What the link to a viewer carries."""
        entry = self._registry.transports.get(transport)
        if entry is None or transport_of(entry[0]) is not entry[1]:
            return
        session, path = entry
        if self._viewer(session, path).heard(estimate, link):
            self._registry.unsettled.add(session)

    # ---- Questions ----

    def quality(self, participant: ParticipantId) -> Quality | None:
        """How this participant is served, as they were last told; ``None`` if nothing was."""
        viewer = self._viewers.get(participant)
        return None if viewer is None else viewer.quality

    def decision(self, participant: ParticipantId) -> Decision | None:
        """What they are sent, and why not more, as last decided; ``None`` if they watch nothing."""
        viewer = self._viewers.get(participant)
        return None if viewer is None else viewer.decision

    def rates(self, publication: Publication) -> tuple[int, ...]:
        """Bits per second of each of its encodings, lowest first; 0 for what does not flow."""
        return self._meters.rates(publication)

    # ---- The turn ----

    def next_at(self) -> float:
        """When the next turn is due though nothing happens."""
        soonest = min((viewer.due for viewer in self._viewers.values()), default=float("inf"))
        return min(soonest, self._meter_at)

    def turn(self, now: float) -> None:
        """Does all that is due."""
        metered = now >= self._meter_at
        if metered:
            self._meter_at = next_beat(now, METER_SECONDS)
            self._read_meters(now)
        sessions = self._registry.sessions
        due = {sessions[id] for id, viewer in self._viewers.items() if id in sessions and viewer.due <= now}
        due |= {one for one in self._registry.unsettled.take() if one.participant.id in sessions}
        for session in due:
            self._decide(session, now)
        self._fit(self._registry.publications if metered else self._watched_by(due), now)
        told = list(self._viewers) if metered else [session.participant.id for session in due]
        for id in told if self._meters.worst_upload > legs.BROKEN_UPLOAD else self._restless(told, now):
            self._tell(id, now, quality=metered)

    def _read_meters(self, now: float) -> None:
        for gone in self._viewers.keys() - self._registry.sessions.keys():
            del self._viewers[gone]
        self._uplinks.forget(self._registry.publications)
        self._rates_changed(set(self._meters.read(self._registry.plane.stats(), now)))

    def _rates_changed(self, publications: Collection[int]) -> None:
        """Looks at those who are sent one of these, unless their link has room for it as it is now."""
        watching = {
            session: self._viewers.get(session.participant.id)
            for session, _, source in self._registry.subscriptions.values()
            if source in publications
        }
        for session, viewer in watching.items():
            if viewer is None or viewer.takes(self._spent(viewer)):
                self._registry.unsettled.add(session)

    def _spent(self, viewer: Viewer) -> float:
        """What they are sent, at the rates of this second where those are higher than the smoothed ones."""
        spent = 0.0
        for demand, choice in _decided(viewer):
            entry = self._registry.subscriptions.get(demand.key)
            if entry is not None and isinstance(choice.sending, Forward):
                metered = self._meters.rate(entry[2], choice.sending.option.encoding)
                spent += max(choice.rate, metered)
            else:
                spent += choice.rate
        return spent

    def _viewer(self, session: Session, transport: Transport) -> Viewer:
        viewer = self._viewers.get(session.participant.id)
        if viewer is None or viewer.transport != transport.handle:
            # On another transport it is another path.
            viewer = self._viewers[session.participant.id] = Viewer(transport.handle)
        return viewer

    def _decide(self, session: Session, now: float) -> None:
        transport = transport_of(session)
        if transport is None:
            self._viewers.pop(session.participant.id, None)
            return
        viewer = self._viewer(session, transport)
        downlink = self._meters.downlink(transport.handle)
        link = replace(viewer.link, repair_overhead=downlink.repair_overhead, probed=transport.measured)
        wanted = demands(self._registry, session, self._meters, self._uplinks, now)
        decision = viewer.decide(wanted, link, now)
        plane = self._registry.plane
        viewer.wishes.carry_out(plane, decision.choices)
        for subscription, choice in decision.choices.items():
            self._registry.watched(subscription, isinstance(choice.sending, Pause))
        viewer.wishes.want(plane, transport.handle, decision.want)

    # ---- Publishers ----

    def _watched_by(self, sessions: Iterable[Session]) -> list[int]:
        handles = set()
        for session in sessions:
            for _, id, _ in subscriptions(session):
                publication = session.room.publications.get(id)
                if publication is not None:
                    handles.add(publication.handle)
        return list(handles)

    def _fit(self, handles: Iterable[int], now: float) -> None:
        looking: dict[int, list[Looking]] = {}
        fitted = {handle: found for handle in handles if (found := self._fittable(handle)) is not None}
        if not fitted:
            return
        for viewer in self._viewers.values():
            for demand, choice in _decided(viewer):
                entry = self._registry.subscriptions.get(demand.key)
                if entry is not None and entry[2] in fitted:
                    known = viewer.link.estimate is not None and viewer.link.phase != "start"
                    looking.setdefault(entry[2], []).append(Looking(demand, choice, known))
        for handle, (room, publication) in fitted.items():
            if publication.recorded:
                wanted = self._uplinks.release(handle)
            else:
                wanted = self._uplinks.fit(publication, looking.get(handle, ()), self._meters, now)
            if wanted is not None:
                self._apply(room, [Tell(publication.participant, SendingWanted(publication.id, wanted))])
                self._registry.unsettle(handle)

    def _fittable(self, handle: int) -> tuple[Room, Publication] | None:
        """A picture whose publisher can be told what to send."""
        room, id = self._registry.publications.get(handle, (None, PublicationId("")))
        publication = room.publications.get(id) if room is not None else None
        if room is None or publication is None or publication.kind != "video":
            return None
        publisher = self._registry.sessions.get(publication.participant)
        return None if publisher is None or publisher.http is not None else (room, publication)

    # ---- Words ----

    def _restless(self, ids: Iterable[ParticipantId], now: float) -> list[ParticipantId]:
        """Of whom there may be something to say while all uploads are whole."""
        found = ((id, self._viewers.get(id)) for id in ids)
        return [id for id, viewer in found if viewer is not None and not viewer.rests(now)]

    def _tell(self, id: ParticipantId, now: float, *, quality: bool) -> None:
        viewer, session = self._viewers.get(id), self._registry.sessions.get(id)
        if viewer is None or session is None or viewer.decision is None:
            return
        sources = self._sources(session, viewer)
        standing, changed = viewer.stands(
            now,
            server_busy=self._meters.is_busy(session.room.worker),
            upload_broken=legs.upload_is_broken([publication for publication, _ in sources], self._meters),
        )
        if changed:
            self._apply(session.room, session.room.standing_changed(legs.standing_changed(id, standing)))
        if not quality or now < viewer.look_at:
            return
        # Who watches by WHEP has no way to be told.
        viewer.looked(now, is_told=session.http is None)
        if session.http is not None:
            return
        downlink = self._meters.downlink(viewer.transport)
        new = legs.quality(standing, viewer.link, viewer.round_trip, downlink, sources, self._meters)
        if legs.is_news(new, viewer.quality):
            viewer.quality = new
            self._apply(session.room, [Tell(id, new)])

    def _sources(self, session: Session, viewer: Viewer) -> list[tuple[Publication, Choice]]:
        found = []
        choices = viewer.decision.choices if viewer.decision is not None else {}
        for handle, id, _ in subscriptions(session):
            publication = session.room.publications.get(id)
            if handle in choices and publication is not None:
                found.append((publication, choices[handle]))
        return found


def _decided(viewer: Viewer) -> Iterable[tuple[Demand, Choice]]:
    if viewer.decision is not None:
        for demand in viewer.demands:
            yield demand, viewer.decision.choices[demand.key]
