"""What operators do about it: limit, ask for a key frame, mute, move, close. Who may is asked above.

Each is atomic on the event loop, and told to the room as if somebody in it had done it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from mediaserver.errors import UnknownParticipant
from mediaserver.events import ClosingReason
from mediaserver.ids import ParticipantId, PublicationId, RoomId
from mediaserver.participant import Participant
from mediaserver.policy import Right
from mediaserver.room import Effect, Publication, Room
from mediaserver.session import Registry, Session


class Close(Protocol):
    """Ends one session, downwards."""

    def __call__(self, session: Session, reason: ClosingReason | None, reconnect: bool = False) -> None: ...


class Actions:
    """One process's. ``apply`` and ``close`` are the server's own."""

    def __init__(
        self, registry: Registry, apply: Callable[[Room, Sequence[Effect]], None], close: Close
    ) -> None:
        self._registry = registry
        self._apply = apply
        self._close = close

    def request_keyframe(self, room: RoomId, publication: PublicationId) -> None:
        """Asks the publisher for one. Raises ``UnknownRoom``, ``UnknownPublication``."""
        self._registry.plane.request_keyframe(self._publication(room, publication).handle)

    def mute(self, room: RoomId, publication: PublicationId, muted: bool) -> None:
        """Stops or resumes forwarding to everybody. Raises ``UnknownRoom``, ``UnknownPublication``."""
        found = self._registry.room(room)
        self._apply(found, found.silence(publication, muted))

    def limit(self, room: RoomId, publication: PublicationId, layer: int | None) -> None:
        """Nobody gets a higher layer than this, whatever they wish; None lifts it.

        Raises ``UnknownRoom``, ``UnknownPublication``.
        """
        found = self._publication(room, publication)
        found.top_layer = layer
        self._registry.unsettle(found.handle)

    def reconnect(self, room: RoomId, participant: ParticipantId) -> None:
        """Has somebody leave and come back at once: on another path, or to wherever the door now leads.

        Raises ``UnknownParticipant``.
        """
        session = self._registry.sessions.get(participant)
        if session is None or session.room.id != room:
            raise UnknownParticipant
        self._close(session, "server_draining", reconnect=True)

    def close_room(self, room: RoomId, by: str) -> None:
        """Ends it for everyone in it, HTTP sessions included; the room itself goes as any empty one does.

        Raises ``UnknownRoom``.
        """
        found = self._registry.room(room)
        self._registry.witness.room_closed(room, by)
        for session in [one for one in self._registry.sessions.values() if one.room is found]:
            self._close(session, "room_closed")

    def close_room_as(self, participant: Participant) -> None:
        """The same by somebody in it. Raises ``NotPermitted``, ``UnknownParticipant``."""
        room = self._registry.session(participant).room
        room.allowed(participant.id, Right.MODERATE)
        self.close_room(room.id, participant.id)

    def _publication(self, room: RoomId, publication: PublicationId) -> Publication:
        return self._registry.room(room).publication(publication)
