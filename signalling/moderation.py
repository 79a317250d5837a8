"""Removing somebody from outside the room: by REST, or because their token was withdrawn."""

from __future__ import annotations

from mediaserver.errors import UnknownParticipant
from mediaserver.events import Closing
from mediaserver.ids import ParticipantId, RoomId
from mediaserver.server import Server


def expel(server: Server, room: RoomId, who: ParticipantId) -> None:
    """Tells them that they were removed, and ends their session. The caller has checked that its token may.

    Raises:
        UnknownParticipant: nobody of this id is in this room.
    """
    session = server.registry.sessions.get(who)
    if session is None or session.participant.room != room:
        raise UnknownParticipant
    session.participant.outbox.put(Closing("removed", reconnect=False))
    server.leave(session.participant)
