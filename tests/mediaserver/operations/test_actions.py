"""What operators may change, over a real data plane: who is told, and that layer choice keeps the limit."""

from __future__ import annotations

from typing import Any

import pytest

from mediaserver.adaptation.wishes import Told
from mediaserver.errors import UnknownParticipant, UnknownPublication, UnknownRoom
from mediaserver.events import Closing, Offer, PublicationChanged
from mediaserver.ids import ParticipantId, PublicationId, RoomId
from mediaserver.participant import Participant
from mediaserver.policy import Role
from mediaserver.server import Server
from mediaserver.session import Wish
from tests.mediaserver.adaptation.watching import theatre
from tests.mediaserver.peers import answer_to, connected, identity, publish, told

ROOM = RoomId("theatre-1")


@pytest.fixture
def asked(server: Server, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What the data plane was told about key frames."""
    calls: list[tuple[str, Any]] = []
    plane = server.registry.plane
    monkeypatch.setattr(plane, "request_keyframe", lambda handle: calls.append(("keyframe", handle)))
    return calls


async def watched(server: Server) -> tuple[Participant, Participant, PublicationId]:
    """A surgeon's picture, watched by an observer."""
    surgeon, viewer = server.join(identity(Role.SURGEON), "An"), server.join(identity(Role.OBSERVER), "")
    server.subscribe(viewer, [], automatic=True)
    picture = PublicationId((await publish(server, surgeon))["1"])
    offer = next(event for event in told(viewer) if isinstance(event, Offer))
    await server.answer(viewer, offer.generation, answer_to(offer.sdp))
    connected(server)
    return surgeon, viewer, picture


async def test_a_limit_holds_whatever_a_viewer_wishes() -> None:
    async with theatre() as room:
        viewer = await room.enter()
        room.settle(viewer, 4_000_000)
        assert room.wish(viewer) == Told(layer=2)
        room.server.actions.limit(ROOM, room.picture.id, 1)
        for wished, given in ((None, 1), (2, 1), (0, 0)):
            room.server.prefer(viewer, room.picture.id, Wish(wished))
            room.settle(viewer, 4_000_000)
            assert room.wish(viewer) == Told(layer=given)
        room.server.prefer(viewer, room.picture.id, Wish())
        room.server.actions.limit(ROOM, room.picture.id, None)
        room.settle(viewer, 4_000_000)
        assert room.wish(viewer) == Told(layer=2)


async def test_a_limit_is_taken_up_at_once_and_by_who_comes_later() -> None:
    async with theatre() as room:
        first = await room.enter()
        room.settle(first, 4_000_000)
        room.server.actions.limit(ROOM, room.picture.id, 0)
        room.turn()
        assert room.wish(first) == Told(layer=0)
        later = await room.enter()
        room.settle(later, 4_000_000)
        assert room.wish(later) == Told(layer=0)


async def test_a_key_frame_is_asked_of_the_source(server: Server, asked: list[tuple[str, Any]]) -> None:
    _, _, picture = await watched(server)
    server.actions.request_keyframe(ROOM, picture)
    assert asked == [("keyframe", server.rooms[ROOM].publication(picture).handle)]


async def test_a_muted_source_is_told_to_the_room(server: Server) -> None:
    surgeon, viewer, picture = await watched(server)
    server.actions.mute(ROOM, picture, True)
    for participant in (surgeon, viewer):
        news = [event for event in told(participant) if isinstance(event, PublicationChanged)]
        assert news[-1].publication.muted
    server.actions.mute(ROOM, picture, False)
    assert not server.rooms[ROOM].publication(picture).muted


async def test_who_is_moved_is_told_to_come_back(server: Server) -> None:
    surgeon, _, _ = await watched(server)
    server.actions.reconnect(ROOM, surgeon.id)
    assert told(surgeon)[-1] == Closing("server_draining", True)
    assert surgeon.id not in server.rooms[ROOM].members


async def test_what_is_not_there(server: Server) -> None:
    surgeon, _, picture = await watched(server)
    none = PublicationId("none")
    with pytest.raises(UnknownRoom):
        server.actions.request_keyframe(RoomId("other"), picture)
    with pytest.raises(UnknownPublication):
        server.actions.limit(ROOM, none, 0)
    with pytest.raises(UnknownPublication):
        server.actions.mute(ROOM, none, True)
    for room, participant in ((RoomId("other"), surgeon.id), (ROOM, ParticipantId("none"))):
        with pytest.raises(UnknownParticipant):
            server.actions.reconnect(room, participant)
