"""A whole room: which trouble explains which, and what must hold of any room."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediaserver.cause.classifier import NETWORK, ServerFacts, badness, classify, disk, overload, silence
from mediaserver.operations.model import Cause, LegPhase, Sample
from mediaserver.policy import Role
from tests.mediaserver.seconds import leg, observer, source, surgeon, view

GOOD = ServerFacts(worker_load_ratio=0.2, event_loop_lag_seconds=0.001, disk_free_bytes=10**12)


def causes(samples: list[Sample], facts: ServerFacts = GOOD) -> list[str]:
    return [one.cause for one in classify(samples, facts)]


def test_a_healthy_room_has_no_findings() -> None:
    assert causes([surgeon(), observer()]) == []


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"worker_load_ratio": 0.97}, "server_overload"),
        ({"event_loop_lag_seconds": 0.4}, "server_overload"),
        ({"forward_delay_p99_seconds": 0.05}, "server_overload"),
        ({"send_drops_ratio": 0.05}, "server_overload"),
        ({"recording_lag_seconds": 20.0, "recording": True}, "recording_disk"),
        ({"recording_failed": True, "recording": True}, "recording_disk"),
        ({"disk_forecast_seconds": 600.0, "recording": True}, "recording_disk"),
        ({"disk_free_bytes": 1000, "recording": True}, "recording_disk"),
    ],
)
def test_the_servers_own_trouble(facts: dict[str, Any], expected: str) -> None:
    assert causes([surgeon(), observer()], ServerFacts(**facts)) == [expected]


def test_a_full_disk_is_a_rooms_trouble_only_while_it_records() -> None:
    full = ServerFacts(disk_free_bytes=1000)
    assert causes([surgeon()], full) == []
    assert disk(full) is not None
    assert overload(full) is None


def test_silence_of_the_canary_is_a_cause_of_its_own() -> None:
    found = silence(31.0)
    assert found is not None
    assert (found.cause, found.severity, found.participant) == ("canary", "hurt", None)
    assert silence(1.0) is silence(None) is None


def test_overload_explains_every_network_and_nothing_else() -> None:
    lossy = surgeon(up=leg(loss_before_ratio=0.3), clock_skew_seconds=90.0)
    slow = observer(down=leg(loss_before_ratio=0.3))
    assert causes([lossy, slow], ServerFacts(worker_load_ratio=1.0)) == ["server_overload", "clock"]


def test_a_server_to_be_watched_explains_nothing_that_hurts() -> None:
    facts = ServerFacts(event_loop_lag_seconds=0.15)
    uneasy = surgeon(up=leg(loss_before_ratio=0.05))
    hurt = observer(down=leg(loss_before_ratio=0.3))
    found = [(one.cause, one.severity) for one in classify([uneasy, hurt], facts)]
    assert found == [("viewer_downlink", "hurt"), ("server_overload", "watch")]


def test_a_hurt_publisher_is_named_once_and_not_by_each_viewer() -> None:
    viewers = [
        observer(participant=f"observer-{index}", views=(view(freeze_seconds=1.0, frames_per_second=0),))
        for index in range(5)
    ]
    assert causes([surgeon(sources=(source(captured_per_second=0),)), *viewers]) == ["source_frozen"]


def test_of_two_alike_the_more_important_comes_first() -> None:
    lossy = leg(loss_before_ratio=0.3)
    mentor = observer(participant="z", role=Role.SPECIALIST, down=lossy)
    found = classify([surgeon(), observer(participant="a", down=lossy), mentor], GOOD)
    assert [(one.participant, one.role) for one in found] == [("z", Role.SPECIALIST), ("a", Role.OBSERVER)]


def test_a_lost_socket_is_signalling_only_while_media_flows() -> None:
    assert causes([surgeon(connected=False)]) == ["signalling"]
    assert causes([surgeon(connected=False, up=leg(phase="interrupted"))]) == ["publisher_uplink"]


@pytest.mark.parametrize(("skew", "expected"), [(0.5, []), (-2.0, ["clock"]), (300.0, ["clock"]), (None, [])])
def test_a_wrong_clock_is_named_either_way(skew: float | None, expected: list[str]) -> None:
    assert causes([surgeon(clock_skew_seconds=skew)]) == expected


# ---- Of any room ----

_SHARE = st.none() | st.floats(0, 1)
_SECONDS = st.none() | st.floats(0, 10)
_LEG = st.builds(
    leg,
    phase=st.sampled_from(get_args(LegPhase)),
    bits_per_second=st.integers(0, 10**7),
    loss_before_ratio=_SHARE,
    loss_after_ratio=_SHARE,
    round_trip_seconds=_SECONDS,
    relayed=st.none() | st.booleans(),
)
_SOURCE = st.builds(
    source,
    age_seconds=_SECONDS,
    captured_per_second=st.none() | st.floats(0, 60),
    encoded_per_second=st.none() | st.floats(0, 60),
    encode_seconds=_SECONDS,
    limited_by=st.sampled_from([None, "cpu", "bandwidth"]),
)
_VIEW = st.builds(
    view,
    frames_per_second=st.none() | st.floats(0, 60),
    freeze_seconds=st.floats(0, 2),
    dropped_ratio=_SHARE,
    decode_seconds=_SECONDS,
)
_SURGEON = st.builds(surgeon, up=st.none() | _LEG, sources=st.tuples(_SOURCE), connected=st.booleans())
_OBSERVER = st.builds(observer, down=st.none() | _LEG, views=st.tuples(_VIEW), clock_skew_seconds=_SECONDS)
_FACTS = st.builds(
    ServerFacts, worker_load_ratio=_SHARE, recording=st.booleans(), recording_lag_seconds=_SECONDS
)


@settings(max_examples=200, deadline=None)
@given(_SURGEON, _OBSERVER, _FACTS)
def test_findings_are_sorted_evident_and_single(one: Sample, other: Sample, facts: ServerFacts) -> None:
    found = classify([one, other], facts)
    assert found == sorted(found, key=badness)
    assert all(finding.evidence for finding in found)
    assert all(finding.cause in get_args(Cause) for finding in found)
    keys = [(finding.cause, finding.participant, finding.publication) for finding in found]
    assert len(set(keys)) == len(keys)
    of_server = {finding.severity for finding in found if finding.cause == "server_overload"}
    of_ways = {finding.severity for finding in found if finding.cause in NETWORK}
    assert not (of_server and "watch" in of_ways)
    assert not ("hurt" in of_server and of_ways)
    assert found == classify([one, other], facts)
