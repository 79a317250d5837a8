"""A theatre that fell out of a room in which others wait for it: two pictures of the room compared. Pure.

Its session ends half a minute after its last packet, and with it whatever could be measured. That is no
reason to look at the room less.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mediaserver.operations.model import Evidence, Finding, Sample
from mediaserver.operations.timeline import Scene
from mediaserver.policy import Role

AWAITED = frozenset({Role.SURGEON, Role.STAFF})
"""Whose pictures the others came for."""


@dataclass(frozen=True, slots=True)
class Gone:
    """Who published last in a role, until their way or socket was lost."""

    participant: str
    role: Role
    since_ms: int


@dataclass(slots=True)
class Missing:
    """Of one room, by role: while one of two in the theatre still sends, there is a picture."""

    gone: dict[Role, Gone] = field(default_factory=dict)

    def second(self, before: Scene, now: Scene, at_ms: int) -> None:
        """Takes who went without a word since the second before; forgets whoever is awaited no more."""
        sending = _sending(now)
        for id, seat in _sending(before).items():
            if id not in sending and seat.role in AWAITED and _cut_off(seat):
                self.gone[seat.role] = Gone(id, seat.role, at_ms)
        back = {seat.role for seat in sending.values()}
        for role, one in list(self.gone.items()):
            others = now.seats.keys() - {one.participant}
            if role in back or not others or _took_leave(one.participant, before, now):
                del self.gone[role]

    def findings(self, at_ms: int) -> list[Finding]:
        """One for each that is awaited: their way to the server carries nothing at all."""
        return [_of(one, at_ms) for one in self.gone.values()]


def _of(one: Gone, at_ms: int) -> Finding:
    seconds = (at_ms - one.since_ms) / 1000
    return Finding(
        cause="publisher_uplink",
        severity="hurt",
        evidence=(Evidence(measure="publisher_gone", value=seconds, limit=0.0, unit="seconds"),),
        participant=one.participant,
        role=one.role,
    )


def _sending(scene: Scene) -> Mapping[str, Sample]:
    ids = {source.participant for source in scene.sources.values()}
    return {id: scene.seats[id] for id in ids if id in scene.seats}


def _cut_off(seat: Sample) -> bool:
    return not seat.connected or (seat.up is not None and seat.up.phase in ("interrupted", "closed"))


def _took_leave(participant: str, before: Scene, now: Scene) -> bool:
    seat = before.seats.get(participant)
    return seat is not None and seat.connected and participant not in now.seats and not _cut_off(seat)
