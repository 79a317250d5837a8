"""A participant's identity and outbox: what they are told,
in order, bounded, and replayable after a dropped socket.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from mediaserver.audit import AddressClass
from mediaserver.clinical import ClinicalClass
from mediaserver.events import Event, Offer
from mediaserver.ids import ParticipantId, Redacted, RoomId
from mediaserver.policy import Right, Role
from mediaserver.quality_history.claims import Claims

MAX_EVENTS = 512
"""Unread or replayable events per participant: a full room's changes in 30 s, many times over."""
MAX_BYTES = 1024 * 1024
"""Of events, by their estimated size (06-reliability W13: every queue has a byte limit)."""
EVENT_BYTES = 256
"""Counted for an event that carries no description."""


@dataclass(frozen=True, slots=True)
class Sequenced:
    """An event and its place in the participant's order, counted from 1 without gaps."""

    seq: int
    event: Event


class EventQueue:
    """What one participant is told. One writer (the server), one reader (the socket).

    Events that were read stay as history while there is room, so that ``replay``
    can give them again. When what is unread alone exceeds the bounds the queue
    is *overflowed*: it takes nothing more and the server closes its owner.
    """

    def __init__(self, max_events: int = MAX_EVENTS, max_bytes: int = MAX_BYTES) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._events: deque[Sequenced] = deque()
        self._bytes = 0
        self._seq = 0
        self._read = 0
        self._overflowed = False
        self._closed = False
        self._wake = asyncio.Event()

    @property
    def seq(self) -> int:
        """Number of the newest event; 0 before the first."""
        return self._seq

    @property
    def overflowed(self) -> bool:
        """True once the reader fell too far behind."""
        return self._overflowed

    @property
    def closed(self) -> bool:
        """True once nothing more will come."""
        return self._closed

    def put(self, event: Event) -> bool:
        """Appends; False if the queue is closed or overflows by this."""
        if self._closed or self._overflowed:
            return False
        self._seq += 1
        self._events.append(Sequenced(self._seq, event))
        self._bytes += _size(event)
        while len(self._events) > self._max_events or self._bytes > self._max_bytes:
            if self._events[0].seq > self._read:
                self._overflowed = True
                self._wake.set()
                return False
            self._bytes -= _size(self._events.popleft().event)
        self._wake.set()
        return True

    def close(self) -> None:
        """Nothing more will come: ``get`` gives what is left, then None. Idempotent."""
        self._closed = True
        self._wake.set()

    async def get(self) -> Sequenced | None:
        """The next unread event; None after the last of a closed queue, or at once when it overflowed."""
        while True:
            if self._overflowed:
                return None
            if self._read < self._seq:
                first = self._events[0].seq
                item = self._events[self._read + 1 - first]
                self._read = item.seq
                return item
            if self._closed:
                return None
            self._wake.clear()
            await self._wake.wait()

    def replay(self, after_seq: int) -> bool:
        """Rewinds so that ``get`` gives everything after ``after_seq`` again.

        False when that history is gone or ``after_seq`` never was: the client must join anew.
        """
        if self._overflowed or after_seq < 0 or after_seq > self._seq:
            return False
        oldest_known = self._events[0].seq - 1 if self._events else self._seq
        if after_seq < oldest_known:
            return False
        self._read = after_seq
        self._wake.set()
        return True


def _size(event: Event) -> int:
    return EVENT_BYTES + (len(event.sdp) if isinstance(event, Offer) else 0)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a token says its holder is: made by signalling, trusted here."""

    subject: str
    room: RoomId
    role: Role
    rights: frozenset[Right]
    address_class: AddressClass | None = None
    """Where they come from, as far as the audit wants to know."""
    clinical_class: ClinicalClass | None = None
    """What the token says that the room is used for."""


@dataclass(eq=False, slots=True)
class Participant:
    """One joined person or device.

    Behaviour lives in ``room.py`` (who gets what) and ``session.py`` (transports).
    """

    id: ParticipantId
    room: RoomId
    name: Redacted[str]
    role: Role
    rights: frozenset[Right]
    clinical_class: ClinicalClass | None = None
    """What their token says that the room is used for."""
    connected: bool = True
    outbox: EventQueue = field(default_factory=EventQueue, repr=False)
    statistics: Claims = field(default_factory=Claims, repr=False)
