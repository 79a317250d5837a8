"""Who may be in a room while it serves a patient, and what may begin there: the patient's decisions as rules.

The team that treats (surgeon, theatre staff, moderator) needs no consent to be there: it takes them down. An
observer is somebody from outside, however they come (invitation, token, WHEP), and in a room of class
*teaching* a pupil as well. A specialist is part of the treatment until the patient declines it.

What was decided is held in memory, so that nobody at the door waits for a database or ends with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog

from mediaserver.clinical import ClinicalClass, most_urgent
from mediaserver.events import ClosingReason
from mediaserver.ids import ProcedureId, RoomId
from mediaserver.policy import Role
from mediaserver.session import Registry, Session
from mediaserver.store.consents import ConsentMissing, Purpose
from mediaserver.store.database import DatabaseFailed

TREATING: Final = frozenset({Role.SURGEON, Role.STAFF, Role.MODERATOR})

_log = structlog.stdlib.get_logger(__name__)


class OutsideViewersNotConsented(ConsentMissing):
    """Nobody from outside may watch."""

    code = "outside_viewers_not_consented"
    default = "the patient has not consented to viewers from outside"


class TeachingNotConsented(ConsentMissing):
    """Nothing may be taught by this case."""

    code = "teaching_not_consented"
    default = "the patient has not consented to teaching"


class TreatmentLinkDeclined(ConsentMissing):
    """Nobody elsewhere may take part in the treatment."""

    code = "treatment_link_declined"
    default = "the patient declined a link to specialists elsewhere"


_REFUSALS: Final[Mapping[Purpose, type[ConsentMissing]]] = {
    Purpose.OUTSIDE_VIEWERS: OutsideViewersNotConsented,
    Purpose.TEACHING: TeachingNotConsented,
    Purpose.TREATMENT_LINK: TreatmentLinkDeclined,
}
_REASONS: Final[Mapping[Purpose, ClosingReason]] = {
    Purpose.OUTSIDE_VIEWERS: "outside_viewers_not_consented",
    Purpose.TEACHING: "teaching_not_consented",
    Purpose.TREATMENT_LINK: "treatment_link_declined",
}
"""The same words to whoever is turned away and to whoever is sent out."""


@dataclass(frozen=True, slots=True)
class Served:
    """The procedure that a room serves, and what was decided in it."""

    procedure: ProcedureId
    permitted: frozenset[Purpose] = frozenset()
    declined: frozenset[Purpose] = frozenset()
    """Refused or withdrawn; what nobody decided is neither."""


def lacking(role: Role, classes: Collection[ClinicalClass | None], served: Served | None) -> Purpose | None:
    """The consent that keeps this role out of a room of these classes; None: nothing does."""
    if served is None or role in TREATING:
        return None
    if role is Role.OBSERVER and Purpose.OUTSIDE_VIEWERS not in served.permitted:
        return Purpose.OUTSIDE_VIEWERS
    if role is Role.SPECIALIST and Purpose.TREATMENT_LINK in served.declined:
        return Purpose.TREATMENT_LINK
    return _teaching(classes, served)


def _teaching(classes: Collection[ClinicalClass | None], served: Served) -> Purpose | None:
    taught = ClinicalClass.TEACHING in classes and Purpose.TEACHING not in served.permitted
    return Purpose.TEACHING if taught else None


class ServedRooms(Protocol):
    """Where procedures and decisions are kept."""

    async def read(self) -> Mapping[RoomId, Served]:
        """Every room that serves a procedure. Raises ``DatabaseFailed``."""

    def changes(self) -> AsyncIterator[None]:
        """Once for whatever was opened, closed or decided since, by this process or another."""


@dataclass(slots=True)
class Audience:
    """What rooms serve, as it was read last; sends out whom a decision no longer covers."""

    registry: Registry
    close: Callable[[Session, ClosingReason], None]
    kept: ServedRooms | None = None
    """None: this server keeps no procedures."""
    _served: Mapping[RoomId, Served] = field(default_factory=dict)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """What was read first is carried out first."""

    # ---- At the door ----

    def check(self, room: RoomId, role: Role, named: ClinicalClass | None) -> None:
        """May this role, with a token of this class, be in this room now? Raises ``ConsentMissing``."""
        purpose = lacking(role, (named, self._class_of(room)), self._served.get(room))
        if purpose is not None:
            raise _REFUSALS[purpose]

    def check_beginning(self, room: RoomId, named: ClinicalClass | None = None) -> None:
        """May anything be sent in this room, which may begin by a token of this class? In one for teaching
        not without consent to it.

        Raises ``TeachingNotConsented``.
        """
        served = self._served.get(room)
        known = most_urgent(self._class_of(room), named)
        if served is not None and _teaching((known,), served) is not None:
            raise TeachingNotConsented

    def serves(self, room: RoomId) -> ProcedureId | None:
        """The case that a room is about now."""
        served = self._served.get(room)
        return None if served is None else served.procedure

    def _class_of(self, room: RoomId) -> ClinicalClass | None:
        standing = self.registry.rooms.get(room)
        return None if standing is None else standing.clinical_class

    # ---- What was decided ----

    async def refresh(self) -> None:
        """Reads what holds now and carries it out; keeps what it knows while the database fails."""
        if self.kept is None:
            return
        async with self._turn:
            try:
                self._carry_out(await self.kept.read())
            except DatabaseFailed as error:
                _log.warning("decisions not read", reason=error.message)

    async def follow(self) -> None:
        """Until cancelled."""
        if self.kept is not None:
            async for _ in self.kept.changes():
                await self.refresh()

    def _carry_out(self, served: Mapping[RoomId, Served]) -> None:
        for room in self._served.keys() - served.keys():
            self.registry.witness.serves(room, None)
        for room, one in served.items():
            self.registry.witness.serves(room, one.procedure)
        self._served = served
        for session, purpose in list(self._uncovered()):
            _log.info("no consent any more", room=session.room.id, participant=session.participant.id)
            self.close(session, _REASONS[purpose])

    def _uncovered(self) -> Iterator[tuple[Session, Purpose]]:
        for session in self.registry.sessions.values():
            room, who = session.room, session.participant
            purpose = lacking(who.role, (who.clinical_class, room.clinical_class), self._served.get(room.id))
            if purpose is not None:
                yield session, purpose
