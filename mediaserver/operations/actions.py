"""What operators do about it: limit, ask for a key frame, mute, move, remove. Who may is asked above.

Each is atomic on the event loop, and told to the room as if somebody in it had done it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from mediaserver.errors import UnknownParticipant
from mediaserver.events import ClosingReason
from mediaserver.ids import ParticipantId, PublicationId, RoomId
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

    def _publication(self, room: RoomId, publication: PublicationId) -> Publication:
        return self._registry.room(room).publication(publication)
