"""Two pictures of a room compared: everything that changed is told once, in order."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mediaserver.layers import Reason
from mediaserver.operations.timeline import Forwarded, Scene, Seat, Source, happened, scene
from mediaserver.policy import Role
from tests.mediaserver.peers import connected, identity, make_server, publish
from tests.mediaserver.seconds import AT_MS, observer, view

SEAT = Seat("surgeon", True, {"publish": "connected"}, 0, {})
CAMERA = Source("p", "endoscope", False, False, (0,))


def kinds(before: Scene, now: Scene) -> list[str]:
    return [f"{event.kind} {event.detail}".strip() for event in happened(before, now, AT_MS)]


def test_coming_publishing_and_going() -> None:
    full = Scene({"p": SEAT}, {"scope": CAMERA})
    assert kinds(Scene(), full) == ["joined surgeon", "published endoscope", "transport publish connected"]
    assert kinds(full, Scene()) == ["unpublished", "left surgeon"]
    assert kinds(full, full) == []


def test_what_may_change_of_a_source_and_a_seat() -> None:
    before = Scene({"p": SEAT}, {"scope": CAMERA})
    phases = {"publish": "interrupted", "subscribe": "connected"}
    changed = Seat("surgeon", False, phases, 1, {"other": Forwarded(None, Reason.MUTED)})
    now = Scene({"p": changed}, {"scope": Source("p", "endoscope", True, True, (0, 1))}, recording=True)
    assert kinds(before, now) == [
        "muted",
        "frozen",
        "layers_changed 0 1",
        "socket_lost",
        "transport publish interrupted",
        "transport subscribe connected",
        "path_changed",
        "layer_forwarded none muted",
        "recording_started",
    ]
    assert kinds(now, before) == [
        "unmuted",
        "flows_again",
        "layers_changed 0",
        "socket_back",
        "transport publish connected",
        "transport subscribe closed",
        "recording_stopped",
    ]


def test_a_layer_that_changes_is_told_with_the_reason_and_a_reason_alone_is_not() -> None:
    steps = [
        Forwarded(None, Reason.FULL),
        Forwarded(0, Reason.MEASURING),
        Forwarded(2, Reason.FULL),
        Forwarded(1, Reason.LINK),
        Forwarded(1, Reason.PRIORITY),
        Forwarded(None, Reason.SILENT),
    ]
    scenes = [Scene({"p": replace(SEAT, forwarded={"scope": step})}) for step in steps]
    told = [kinds(before, now) for before, now in pairwise([Scene({"p": SEAT}), *scenes])]
    assert told == [
        ["layer_forwarded none"],
        ["layer_forwarded 0 measuring"],
        ["layer_forwarded 2 full"],
        ["layer_forwarded 1 link"],
        [],
        ["layer_forwarded none silent"],
    ]


_SEATS = st.builds(
    Seat,
    st.just("observer"),
    st.booleans(),
    st.dictionaries(st.sampled_from(["publish", "subscribe"]), st.sampled_from(["connected", "interrupted"])),
    st.integers(0, 3),
    st.dictionaries(
        st.sampled_from("xy"),
        st.builds(Forwarded, st.none() | st.integers(0, 2), st.none() | st.sampled_from(Reason)),
    ),
)
_SCENES = st.builds(Scene, st.dictionaries(st.sampled_from("abc"), _SEATS), st.just({}), st.booleans())


@given(_SCENES, _SCENES)
def test_equal_scenes_tell_nothing_and_others_something(before: Scene, now: Scene) -> None:
    assert happened(now, now, AT_MS) == []
    ids = {event.participant for event in happened(before, now, AT_MS) if event.kind in ("joined", "left")}
    assert ids == set(before.seats) ^ set(now.seats)


async def test_a_real_room_as_a_scene() -> None:
    server = make_server()
    await server.start()
    surgeon = server.join(identity(Role.SURGEON), "")
    await publish(server, surgeon)
    connected(server)
    room, sessions = server.rooms[surgeon.room], dict(server.registry.sessions)
    seen = scene(room, sessions, [], recording=False)  # type: ignore[arg-type]
    await server.stop()
    assert [seat.phases for seat in seen.seats.values()] == [{"publish": "connected"}]
    assert [source.source_type for source in seen.sources.values()] == ["microphone", "endoscope"]


async def test_what_is_forwarded_is_in_the_scene_and_what_only_asks_is_not() -> None:
    server = make_server()
    await server.start()
    watching = server.join(identity(Role.OBSERVER), "")
    room, sessions = server.rooms[watching.room], dict(server.registry.sessions)
    views = (view(layer=1, reason=Reason.LINK), view(publication="overhead", reason=Reason.SILENT))
    seen = scene(room, sessions, [observer(participant=watching.id, views=views)], recording=False)  # type: ignore[arg-type]
    await server.stop()
    [seat] = seen.seats.values()
    assert seat.forwarded == {"scope": Forwarded(1, Reason.LINK), "overhead": Forwarded(None, Reason.SILENT)}
