"""Which layers a WHEP viewer may choose, and what a choice does."""

from __future__ import annotations

import pytest

from mediaserver.adaptation.demands import subscriptions
from mediaserver.adaptation.watched import WatchedLayer
from mediaserver.errors import UnknownLayer, UnknownParticipant
from mediaserver.policy import Role
from mediaserver.server import HttpSession
from mediaserver.session import Wish
from tests.mediaserver.adaptation.watching import Snapshot, Theatre, theatre
from tests.mediaserver.captures import capture
from tests.mediaserver.peers import connected, identity


async def watch(room: Theatre) -> HttpSession:
    viewer = await room.server.whep(identity(Role.OBSERVER), "", capture("chromium_recvonly"))
    connected(room.server)
    return viewer


def wishes(room: Theatre, viewer: HttpSession) -> list[Wish]:
    session = room.server.registry.sessions[viewer.participant.id]
    return [wish for _, id, wish in subscriptions(session) if id == room.picture.id]


async def test_what_flows_is_told_by_place_in_the_offer() -> None:
    async with theatre() as room:
        viewer = await watch(room)
        room.server.adaptation._meters.read(
            Snapshot({room.picture.handle: {"wire_rates": [100.0] * 12 + [400.0] * 12, "layers": (0,)}}),  # type: ignore[arg-type]
            room.now,
        )
        found = room.server.watched_layers.of(viewer)
        [section] = [place for place, (_, kind) in enumerate(viewer.sections) if kind == "video"]
        assert found == {section: (WatchedLayer(0, 100), WatchedLayer(1, 0), WatchedLayer(2, 0))}


async def test_a_choice_is_a_ceiling_until_it_is_taken_back() -> None:
    async with theatre() as room:
        viewer = await watch(room)
        room.server.watched_layers.choose(viewer, None, 1)
        assert wishes(room, viewer) == [Wish(layer=1)]
        room.server.watched_layers.choose(viewer, None, None)
        assert wishes(room, viewer) == [Wish()]


async def test_what_is_not_there_cannot_be_chosen() -> None:
    async with theatre() as room:
        viewer = await watch(room)
        with pytest.raises(UnknownLayer) as layer:
            room.server.watched_layers.choose(viewer, None, 3)
        assert layer.value.field == "$.rid"
        [sound] = [place for place, (_, kind) in enumerate(viewer.sections) if kind == "audio"]
        for section in (sound, 9):
            with pytest.raises(UnknownLayer) as picture:
                room.server.watched_layers.choose(viewer, section, 0)
            assert picture.value.field == "$.mediaId"
        room.server.end(viewer)
        with pytest.raises(UnknownParticipant):
            room.server.watched_layers.choose(viewer, None, 0)
