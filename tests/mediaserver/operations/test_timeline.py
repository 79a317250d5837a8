"""Two pictures of a room compared: everything that changed is told once, in order."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mediaserver.layers import Reason
from mediaserver.operations.model import LegSample, Sample, ViewSample
from mediaserver.operations.timeline import Scene, Source, happened, scene
from mediaserver.policy import Role
from tests.mediaserver.peers import connected, identity, make_server, publish
from tests.mediaserver.seconds import AT_MS, leg, surgeon, view

SEAT = surgeon(sources=())
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
    changed = surgeon(
        connected=False,
        up=leg(phase="interrupted", path_changes=1),
        down=leg(),
        views=(view(publication="other", layer=None, reason=Reason.MUTED),),
    )
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
        view(layer=None, reason=Reason.FULL),
        view(layer=0, reason=Reason.MEASURING),
        view(layer=2, reason=Reason.FULL),
        view(layer=1, reason=Reason.LINK),
        view(layer=1, reason=Reason.PRIORITY),
        # What asks whether anybody is still there is no picture.
        view(layer=1, reason=Reason.SILENT),
    ]
    scenes = [Scene({"p": replace(SEAT, views=(step,))}) for step in steps]
    told = [kinds(before, now) for before, now in pairwise([Scene({"p": SEAT}), *scenes])]
    assert told == [
        ["layer_forwarded none"],
        ["layer_forwarded 0 measuring"],
        ["layer_forwarded 2 full"],
        ["layer_forwarded 1 link"],
        [],
        ["layer_forwarded none silent"],
    ]


_LEGS = st.none() | st.builds(
    LegSample, phase=st.sampled_from(["connected", "interrupted"]), path_changes=st.integers(0, 3)
)
_VIEWS = st.builds(
    ViewSample,
    publication=st.sampled_from("xy"),
    kind=st.just("video"),
    state=st.just("forwarding"),
    layer=st.none() | st.integers(0, 2),
    reason=st.none() | st.sampled_from(Reason),
)
_SEATS = st.builds(
    Sample,
    at_ms=st.integers(),
    participant=st.just("anybody"),
    role=st.just(Role.OBSERVER),
    connected=st.booleans(),
    up=_LEGS,
    down=_LEGS,
    views=st.lists(_VIEWS, unique_by=lambda one: one.publication).map(tuple),
)
_SCENES = st.builds(Scene, st.dictionaries(st.sampled_from("abc"), _SEATS), st.just({}), st.booleans())


@given(_SCENES, _SCENES)
def test_equal_scenes_tell_nothing_and_others_something(before: Scene, now: Scene) -> None:
    assert happened(now, now, AT_MS) == []
    ids = {event.participant for event in happened(before, now, AT_MS) if event.kind in ("joined", "left")}
    assert ids == set(before.seats) ^ set(now.seats)


@given(_SEATS, _SEATS)
def test_another_order_of_views_and_figures_that_nobody_is_told_of_change_nothing(
    before: Sample, now: Sample
) -> None:
    turned = replace(now, views=now.views[::-1], at_ms=before.at_ms, role=before.role)
    told = set(kinds(Scene({"p": before}), Scene({"p": now})))
    assert set(kinds(Scene({"p": before}), Scene({"p": turned}))) == told


async def test_a_real_room_as_a_scene() -> None:
    server = make_server()
    await server.start()
    publisher = server.join(identity(Role.SURGEON), "")
    await publish(server, publisher)
    connected(server)
    samples = [Sample(at_ms=AT_MS, participant=id, role=Role.SURGEON) for id in (publisher.id, "stranger")]
    seen = scene(server.rooms[publisher.room], samples, recording=False)
    await server.stop()
    assert list(seen.seats) == [publisher.id]
    assert [source.source_type for source in seen.sources.values()] == ["microphone", "endoscope"]
