"""What nobody interrupts from outside without a reason: a surgery, an emergency (hazard H-13). Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from mediaserver.ids import ParticipantId
from mediaserver.policy import Role
from mediaserver.room import Room

NEEDED = frozenset({Role.SURGEON, Role.STAFF, Role.SPECIALIST})
"""Whom a surgery cannot do without; observers may go at any time."""


def vital(room: Room) -> bool:
    """Somebody is there who may be under the knife, or with whoever holds it."""
    return room.clinical_class is not None and room.clinical_class.vital and not room.empty


def live_surgeries(rooms: Iterable[Room]) -> int:
    """How many there are: while it is any, the server does not restart."""
    return sum(1 for room in rooms if vital(room))


def interrupts(room: Room, people: Collection[ParticipantId]) -> bool:
    """Whether a surgery goes on without somebody it needs when these are sent out or silenced."""
    return vital(room) and any(id in room.members and room.members[id].role in NEEDED for id in people)
