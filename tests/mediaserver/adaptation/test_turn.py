"""What is decided reaches the plane and the people it concerns, when something changed and not else."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator

import pytest

from mediaserver.adaptation.wishes import Told
from mediaserver.events import EncodingWanted, Quality, SendingWanted, StandingChanged
from mediaserver.layers.choice import MOVES_ON_SECONDS
from mediaserver.policy import Role
from mediaserver.session import Wish
from tests.mediaserver.adaptation.watching import Snapshot, Theatre, Word, news, theatre
from tests.mediaserver.captures import capture
from tests.mediaserver.peers import connected, identity


@pytest.fixture
async def room() -> AsyncIterator[Theatre]:
    async with theatre() as found:
        yield found


async def test_a_viewer_begins_with_the_lowest_layer_and_gets_what_the_link_proves(room: Theatre) -> None:
    viewer = await room.enter()
    room.turn()
    assert room.wish(viewer) == Told(layer=0)
    room.settle(viewer, 900_000)
    assert room.wish(viewer) == Told(layer=1)
    room.settle(viewer, 4_000_000)
    assert room.wish(viewer) == Told(layer=2)
    room.heard(viewer, 250_000, Word(phase="drain", queue_delay_seconds=0.2))
    room.turn()
    assert room.wish(viewer).layer == 0


async def test_a_wish_is_a_cap_and_a_hidden_picture_is_not_sent(room: Theatre) -> None:
    viewer = await room.enter()
    room.settle(viewer, 4_000_000)
    room.server.prefer(viewer, room.picture.id, Wish(layer=1))
    room.turn()
    assert room.wish(viewer) == Told(layer=1)
    room.server.prefer(viewer, room.picture.id, Wish(paused=True))
    room.turn()
    assert room.wish(viewer) == Told(paused=True)
    room.server.prefer(viewer, room.picture.id, Wish())
    room.settle(viewer, 4_000_000)
    assert room.wish(viewer) == Told(layer=2)


async def test_each_step_is_told_to_the_viewer_and_to_the_room(room: Theatre) -> None:
    viewer, colleague = await room.enter(), await room.enter()
    moderator, pupil = await room.enter(Role.MODERATOR), await room.enter(Role.OBSERVER)
    room.settle(viewer, 4_000_000)
    assert news(viewer, StandingChanged) == []
    room.settle(viewer, 45_000, MOVES_ON_SECONDS + 4.0)
    sound = StandingChanged(viewer.id, "sound", "link")
    for one in (viewer, colleague, moderator, room.surgeon):
        assert news(one, StandingChanged)[-1] == sound
    assert news(pupil, StandingChanged) == []
    assert room.wish(viewer) == Told(paused=True)
    # Who comes later hears of it.
    late = room.server.join(identity(Role.SURGEON), "Chi")
    assert news(late, StandingChanged) == [sound]
    room.settle(viewer, 4_000_000, 12.0)
    assert news(viewer, StandingChanged)[-1] == StandingChanged(viewer.id, "full", None)
    assert news(room.server.join(identity(Role.SURGEON), "Dung"), StandingChanged) == []


async def test_a_link_for_stills_gets_them_until_it_carries_more(room: Theatre) -> None:
    viewer = await room.enter()
    room.settle(viewer, 4_000_000)
    room.settle(viewer, 110_000, MOVES_ON_SECONDS)
    assert news(viewer, StandingChanged)[-1].step == "reduced", "most dips are over sooner"
    room.settle(viewer, 110_000, 4.0)
    assert news(viewer, StandingChanged)[-1].step == "stills"
    told = room.wish(viewer)
    assert (told.layer, told.paused, told.still_seconds) == (0, False, 1.0), told
    room.settle(viewer, 4_000_000, 12.0)
    assert room.wish(viewer).still_seconds is None


async def test_a_comfortable_viewer_costs_nothing_until_something_changes(room: Theatre) -> None:
    viewer = await room.enter()
    room.settle(viewer, 4_000_000)
    state = room.viewer(viewer)
    assert state.due == math.inf
    decided = state.decision
    for estimate in (3_900_000, 4_100_000, 3_000_000, 5_000_000):
        room.heard(viewer, estimate)
        assert room.server.registry.unsettled.take() == set()
    room.turn(3.0)
    assert state.decision is decided
    room.heard(viewer, 1_900_000)
    room.turn()
    assert state.decision is not decided


async def test_a_rate_that_changed_matters_to_those_whose_link_has_no_room_for_it(
    room: Theatre, monkeypatch: pytest.MonkeyPatch
) -> None:
    ample, narrow = await room.enter(), await room.enter()
    for _ in range(30):
        room.heard(ample, 8_000_000)
        room.heard(narrow, 2_600_000)
        room.turn(0.2, 0.2)
    assert [room.viewer(one).due for one in (ample, narrow)] == [math.inf, math.inf]
    before = [room.viewer(one).decision for one in (ample, narrow)]
    rates = (*(200_000.0,) * 12, *(700_000.0,) * 12, *(3_000_000.0,) * 12)
    figures = {"packets": 1, "layers": (0, 1, 2), "wire_rates": rates}
    snapshot = Snapshot(publications={room.picture.handle: figures})
    monkeypatch.setattr(room.server.registry.plane, "stats", lambda: snapshot)
    room.turn(2.0)
    after = [room.viewer(one).decision for one in (ample, narrow)]
    assert after[0] is before[0]
    assert after[1] is not before[1]


async def test_quality_is_told_when_it_changed_and_at_most_once_a_second(room: Theatre) -> None:
    viewer = await room.enter()
    room.settle(viewer, 4_000_000)
    first = news(viewer, Quality)
    assert first[-1].sources[-1].layer == 2
    assert (first[-1].step, first[-1].cause, first[-1].rtt_ms) == ("full", None, 100)
    room.settle(viewer, 4_000_000, 5.0)
    assert news(viewer, Quality) == first, "nothing changed"
    room.settle(viewer, 600_000, 5.0, Word(inherent_loss=0.05))
    told = news(viewer, Quality)
    assert len(first) < len(told) <= len(first) + 5
    assert (told[-1].step, told[-1].cause, told[-1].loss) == ("reduced", "link", 0.05)
    assert [source.reason for source in told[-1].sources][-1] == "link"
    assert room.server.adaptation.quality(viewer.id) == told[-1]


async def test_a_publisher_leaves_out_what_nobody_needs_and_is_asked_at_once_when_somebody_does(
    room: Theatre,
) -> None:
    viewer = await room.enter()
    room.settle(viewer, 4_000_000)
    before = len(news(room.surgeon, SendingWanted))
    room.server.prefer(viewer, room.picture.id, Wish(layer=0))
    room.settle(viewer, 4_000_000, 9.0)
    assert all(wanted.encodings[2].active for wanted in news(room.surgeon, SendingWanted)[before:])
    room.settle(viewer, 4_000_000, 2.0)
    off = news(room.surgeon, SendingWanted)[-1]
    assert off.publication == room.picture.id
    assert [encoding.active for encoding in off.encodings] == [True, False, False]
    room.flow(0)
    room.turn()
    room.server.prefer(viewer, room.picture.id, Wish())
    room.turn()
    on = news(room.surgeon, SendingWanted)[-1]
    assert on.encodings[2] == EncodingWanted(True, None)


async def test_nothing_of_a_recorded_publication_is_restrained(room: Theatre) -> None:
    viewer = await room.enter()
    room.server.prefer(viewer, room.picture.id, Wish(layer=0))
    room.settle(viewer, 4_000_000, 12.0)
    assert not news(room.surgeon, SendingWanted)[-1].encodings[2].active
    room.picture.recorded = True
    room.turn(1.0)
    assert news(room.surgeon, SendingWanted)[-1].encodings == (EncodingWanted(True, None),) * 3
    count = len(news(room.surgeon, SendingWanted))
    room.settle(viewer, 4_000_000, 12.0)
    assert len(news(room.surgeon, SendingWanted)) == count


async def test_a_whep_viewer_is_chosen_for_too_and_nobody_is_told_of_them(room: Theatre) -> None:
    await room.server.whep(identity(Role.OBSERVER), "", capture("chromium_recvonly"))
    connected(room.server)
    room.turn()
    [(handle, found)] = [
        (handle, entry[0])
        for handle, entry in room.server.registry.subscriptions.items()
        if entry[2] == room.picture.handle
    ]
    assert found.watching is not None
    state = room.server.adaptation._viewers[found.participant.id]
    assert state.wishes.told[handle] == Told(layer=0)
    room.server.adaptation.heard(found.watching.transport.handle, 40_000, Word())  # type: ignore[arg-type]
    room.turn(3.0)
    assert state.wishes.told[handle] == Told(paused=True)
    assert news(room.surgeon, StandingChanged) == []


async def test_who_left_is_forgotten_and_a_new_path_is_measured_anew(room: Theatre) -> None:
    viewer = await room.enter()
    room.settle(viewer, 45_000)
    before = room.viewer(viewer)
    side = room.server.registry.sessions[viewer.id].subscribing
    assert side is not None
    room.server._dispatcher._closed(side.transport.handle, "consent_expired")
    room.turn(1.0)
    assert viewer.id not in room.server.adaptation._viewers
    room.server.subscribe(viewer, [], automatic=True)
    room.turn()
    assert room.server.adaptation._viewers.get(viewer.id) is not before
    room.server.leave(viewer)
    room.turn(1.0)
    assert viewer.id not in room.server.adaptation._viewers


async def test_who_rests_is_told_of_an_upload_that_breaks(
    room: Theatre, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = await room.enter()
    room.settle(viewer, 4_000_000)
    room.viewer(viewer).look_at = math.inf
    assert room.viewer(viewer).rests(room.now)
    packets = 0

    def broken() -> Snapshot:
        nonlocal packets
        packets += 100
        figures = {"packets": packets, "unrepaired": packets // 10, "layers": (0, 1, 2)}
        return Snapshot(publications={room.picture.handle: figures})

    monkeypatch.setattr(room.server.registry.plane, "stats", broken)
    room.settle(viewer, 4_000_000, 8.0)
    assert [event.cause for event in news(viewer, StandingChanged)] == ["publisher"]


async def test_a_muted_picture_is_nobodys_fault(room: Theatre) -> None:
    viewer = await room.enter()
    room.settle(viewer, 4_000_000)
    room.server.mute(room.surgeon, room.picture.id, True)
    room.settle(viewer, 4_000_000, 7.0)
    assert news(viewer, StandingChanged) == []
    assert news(viewer, Quality)[-1].sources[-1].reason == "muted"


async def test_who_tells_when_packets_arrived_is_probed_and_nobody_else(room: Theatre) -> None:
    viewer = await room.enter()
    side = room.server.registry.sessions[viewer.id].subscribing
    assert side is not None
    for measured in (side.transport.measured, not side.transport.measured):
        side.transport.measured = measured
        room.server.registry.unsettle(room.picture.handle)
        room.turn()
        assert room.viewer(viewer).link.probed is measured
