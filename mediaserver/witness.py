"""Tells the audit what happens in live sessions: who came, published, went, and watched what from when on."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from mediaserver.audit import Actor, Audit, Event
from mediaserver.ids import ParticipantId, RoomId
from mediaserver.participant import Identity, Participant
from mediaserver.room import Publication


@dataclass(frozen=True, slots=True)
class _View:
    """One participant watching one source, since a moment of the monotonic clock."""

    participant: Participant
    publication: Publication
    since: float


class Witness:
    """One call for each thing that happens. Never fails; keeps nothing of what has ended."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit
        self._actors: dict[ParticipantId, Actor] = {}
        self._views: dict[int, _View] = {}
        self._published: dict[int, tuple[RoomId, Publication]] = {}
        self._procedures: dict[RoomId, str] = {}

    def serves(self, room: RoomId, procedure: str | None) -> None:
        """The room serves this procedure from now on: what happens in it belongs there."""
        if procedure is None:
            self._procedures.pop(room, None)
        else:
            self._procedures[room] = procedure

    # ---- People ----

    def joined(self, participant: Participant, identity: Identity, *, viewer: bool) -> None:
        """Somebody was let in."""
        self._actors[participant.id] = Actor(
            id=participant.id,
            role=participant.role,
            name=participant.name,
            address_class=identity.address_class,
        )
        self._tell(
            Event.PARTICIPANT_ADMIT, participant, details={"subject": identity.subject, "viewer": viewer}
        )

    def left(self, participant: Participant, reason: str | None) -> None:
        """Somebody went, or was sent: ``reason`` says why."""
        self._tell(Event.PARTICIPANT_LEAVE, participant, details={"reason": reason or "left"})
        self._actors.pop(participant.id, None)

    def removed(self, participant: Participant, by: str) -> None:
        """Somebody is about to be sent out by somebody else."""
        self._audit.append(
            Event.PARTICIPANT_REMOVE,
            actor=self._actors.get(ParticipantId(by), Actor(id=by)),
            room=participant.room,
            procedure=self._procedures.get(participant.room),
            subject=participant.id,
        )

    def room_closed(self, room: RoomId, by: str) -> None:
        """Everyone is about to be sent out."""
        self._audit.append(
            Event.ROOM_CLOSE,
            actor=self._actors.get(ParticipantId(by), Actor(id=by)),
            room=room,
            procedure=self._procedures.get(room),
        )

    # ---- Sources ----

    def published(self, participant: Participant, publication: Publication) -> None:
        """A source appeared."""
        self._published[publication.handle] = (participant.room, publication)
        self._tell(Event.PUBLISH_START, participant, publication)

    def unpublished(self, handle: int) -> None:
        """A source ended. Idempotent."""
        found = self._published.pop(handle, None)
        if found is not None:
            room, publication = found
            self._tell_of(Event.PUBLISH_STOP, room, publication.participant, publication)

    def muted(self, participant: Participant, publication: Publication, muted: bool) -> None:
        """Forwarding of a source was stopped or resumed."""
        self._tell(Event.PUBLISH_MUTE, participant, publication, {"muted": muted})

    # ---- Watching ----

    def watches(self, subscription: int, participant: Participant, publication: Publication) -> None:
        """A participant is sent a source from now on."""
        self._views[subscription] = _View(participant, publication, time.monotonic())
        self._tell(Event.VIEW_START, participant, publication)

    def paused(
        self, subscription: int, participant: Participant, publication: Publication, paused: bool
    ) -> None:
        """Who pauses sees nothing until they resume."""
        if paused:
            self.watches_no_more(subscription)
        elif subscription not in self._views:
            self.watches(subscription, participant, publication)

    def watches_no_more(self, subscription: int) -> None:
        """Nothing is sent any more. Idempotent."""
        view = self._views.pop(subscription, None)
        if view is not None:
            seconds = round(time.monotonic() - view.since, 3)
            self._tell(Event.VIEW_STOP, view.participant, view.publication, {"seconds": seconds})

    # ---- Parts ----

    def _tell(
        self,
        event: Event,
        participant: Participant,
        publication: Publication | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        self._tell_of(event, participant.room, participant.id, publication, details)

    def _tell_of(
        self,
        event: Event,
        room: RoomId,
        participant: ParticipantId,
        publication: Publication | None,
        details: dict[str, Any] | None = None,
    ) -> None:
        about = {} if publication is None else {
            "kind": publication.kind, "source_type": publication.source_type,
            "publisher": publication.participant,
        }  # fmt: skip
        self._audit.append(
            event,
            actor=self._actors.get(participant, Actor(id=participant)),
            room=room,
            procedure=self._procedures.get(room),
            subject=participant if publication is None else publication.id,
            details=about | (details or {}),
        )
