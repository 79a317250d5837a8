"""What is taken of a room: every source, before and after the start, over reconnects.

No recorder runs here.
"""

from __future__ import annotations

import pytest

from mediaserver.errors import AlreadyRecording
from mediaserver.events import RecordingChanged
from mediaserver.policy import Role
from tests.mediaserver.peers import identity, publish, told
from tests.mediaserver.recording.test_control import ACTOR, P1, World, world  # noqa: F401 - a fixture


async def test_what_is_published_is_tapped_before_and_after_the_start(world: World) -> None:  # noqa: F811
    surgeon = world.server.join(identity(Role.SURGEON), "An")
    other = world.server.join(identity(Role.STAFF), "Binh")
    await publish(world.server, surgeon)
    await world.taking.start_by(surgeon, P1)
    assert [order["source"]["kind"] for order in world.listener.did("track")] == ["audio", "video"]
    await publish(world.server, other)
    assert len(world.listener.did("track")) == 4
    assert len(world.listener.descriptors) == 4
    names = [order["name"] for order in world.listener.did("event")]
    assert names == ["joined", "joined"]
    sent = repr(world.listener.orders)
    assert "'scope'" not in sent
    assert "theatre-1" not in sent
    assert [event.state for event in told(other) if isinstance(event, RecordingChanged)] == ["recording"]
    with pytest.raises(AlreadyRecording):
        await world.taking.start_by(surgeon, P1)


async def test_a_moment_has_its_place_whatever_the_wall_clock_says(world: World) -> None:  # noqa: F811
    surgeon = world.server.join(identity(Role.SURGEON), "An")
    assert world.taking.place(surgeon.room) is None
    await world.taking.start_by(surgeon, P1)
    [taking] = world.taking._taking.values()
    taking.begin["monotonic_micros"] -= 90_000_000
    taking.begin["unix_micros"] += 3600_000_000
    place = world.taking.place(surgeon.room)
    assert place is not None
    assert place.recording == taking.id
    assert 90 <= place.seconds < 150
    world.taking.stop_by(surgeon)
    assert world.taking.place(surgeon.room) is None


async def test_a_publisher_that_comes_back_continues_its_track(world: World) -> None:  # noqa: F811
    surgeon = world.server.join(identity(Role.SURGEON), "An")
    moderator = world.server.join(identity(Role.MODERATOR), "M")
    await publish(world.server, surgeon)
    await world.taking.start_by(moderator, P1)
    world.server.leave(surgeon)
    back = world.server.join(identity(Role.SURGEON), "An")
    await publish(world.server, back)
    tracks = [order["track"] for order in world.listener.did("track")]
    assert tracks[:2] == tracks[2:]
    assert [order["name"] for order in world.listener.did("event")] == ["joined", "joined", "left", "joined"]


async def test_a_tap_is_the_recorders_until_it_has_all(world: World) -> None:  # noqa: F811
    surgeon = world.server.join(identity(Role.SURGEON), "An")
    await publish(world.server, surgeon)
    changed = await world.taking.start(world.server.rooms[surgeon.room], P1, actor=ACTOR)
    (taking,) = world.taking._taking.values()
    published = world.server.rooms[surgeon.room].publications.values()
    assert [publication.recorded for publication in published] == [True, True]
    world.taking.stop_by(surgeon)
    taps = [track.tap for track in taking.tracks if track.tap is not None]
    assert [publication.recorded for publication in published] == [False, False]
    assert [tap.fileno() >= 0 for tap in taps] == [True, True], "what they hold is still read"
    world.taking._received({"event": "stopped", "recording": changed.recording})
    assert [tap.fileno() for tap in taps] == [-1, -1]
    assert taking.stopped.is_set()


async def test_its_clock_goes_on_whatever_the_wall_clock_is_set_to(
    world: World,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    surgeon = world.server.join(identity(Role.SURGEON), "An")
    assert world.taking.clock_ms(surgeon.room) is None
    await world.taking.start_by(surgeon, P1)
    [taking] = world.taking._taking.values()
    begun_ms = taking.begin["unix_micros"] // 1000
    taking.begin["monotonic_micros"] -= 90_000_000
    monkeypatch.setattr("time.time_ns", lambda: 0)
    told = world.taking.clock_ms(surgeon.room)
    assert told is not None
    assert begun_ms + 90_000 <= told < begun_ms + 150_000
    world.taking.stop_by(surgeon)
