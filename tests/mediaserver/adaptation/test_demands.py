"""What layer choice is asked, from the room and the wishes in it."""

from __future__ import annotations

from mediaserver.adaptation.demands import demands, transport_of
from mediaserver.adaptation.meters import Meters
from mediaserver.adaptation.uplinks import Uplinks
from mediaserver.layers import Demand
from mediaserver.participant import Participant
from mediaserver.policy import Role
from mediaserver.session import Wish
from tests.mediaserver.adaptation.watching import Theatre, theatre


def asked(room: Theatre, viewer: Participant) -> dict[str, Demand]:
    session = room.server.registry.sessions[viewer.id]
    found = demands(room.server.registry, session, Meters(), Uplinks(), 0.0)
    return {demand.kind: demand for demand in found}


async def test_a_wish_and_the_room_are_what_is_asked() -> None:
    async with theatre() as room:
        viewer = await room.enter()
        plain = asked(room, viewer)
        assert (plain["audio"].talkback, plain["audio"].source_type) == (True, "microphone")
        picture = plain["video"]
        assert (picture.source_type, len(picture.encodings), picture.shared) == ("endoscope", 3, False)
        assert (picture.pinned, picture.hidden, picture.muted) == (False, False, False)
        room.server.prefer(viewer, room.picture.id, Wish(1, paused=True, pinned=True))
        room.server.mute(room.surgeon, room.picture.id, True)
        wished = asked(room, viewer)["video"]
        assert (wished.cap, wished.hidden, wished.pinned, wished.muted) == (1, True, True, True)
        room.picture.top_layer = 0
        limited = asked(room, viewer)["video"]
        assert (limited.cap, limited.limited) == (0, True), "the operators' limit is the lower one"
        room.picture.top_layer = 1
        assert not asked(room, viewer)["video"].limited, "no more is wished for"


async def test_key_frames_that_others_would_pay_for_are_known() -> None:
    async with theatre() as room:
        viewer = await room.enter()
        other = await room.enter()
        assert asked(room, viewer)["video"].shared
        room.server.leave(other)
        assert not asked(room, viewer)["video"].shared
        room.picture.recorded = True
        assert asked(room, viewer)["video"].shared


async def test_only_the_voices_of_the_operation_come_first() -> None:
    async with theatre() as room:
        viewer = await room.enter()
        room.server.rooms[room.surgeon.room].members[room.surgeon.id].role = Role.OBSERVER
        assert not asked(room, viewer)["audio"].talkback


async def test_who_watches_nothing_has_no_path() -> None:
    async with theatre() as room:
        assert transport_of(room.server.registry.sessions[room.surgeon.id]) is None
        viewer = await room.enter()
        side = room.server.registry.sessions[viewer.id].subscribing
        assert side is not None
        assert transport_of(room.server.registry.sessions[viewer.id]) is side.transport
