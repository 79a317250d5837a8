"""The table of legs: one thing wrong at a time, and what it is called."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediaserver.cause import legs
from mediaserver.layers import Reason
from mediaserver.operations.model import Finding, LegSample, ViewSample
from tests.mediaserver.seconds import leg, observer, source, surgeon, view


def names(found: list[Finding]) -> list[tuple[str, str]]:
    return [(one.cause, one.severity) for one in found]


def test_healthy_legs_have_no_findings() -> None:
    assert legs.publishing(surgeon()) == []
    assert legs.viewing(observer(), {"scope": source()}, set()) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"up": leg(loss_before_ratio=0.05)}, [("publisher_uplink", "watch")]),
        ({"up": leg(loss_before_ratio=0.2)}, [("publisher_uplink", "hurt")]),
        ({"up": leg(loss_after_ratio=0.02)}, [("publisher_uplink", "watch")]),
        ({"up": leg(round_trip_seconds=1.0)}, [("publisher_uplink", "hurt")]),
        ({"up": leg(jitter_seconds=0.15)}, [("publisher_uplink", "watch")]),
        ({"up": leg(phase="interrupted")}, [("publisher_uplink", "hurt")]),
        ({"up": leg(loss_before_ratio=0.2, relayed=True)}, [("relay", "hurt")]),
        ({"sources": (source(limited_by="bandwidth"),)}, [("publisher_uplink", "watch")]),
        ({"sources": (source(limited_by="cpu"),)}, [("publisher_device", "watch")]),
        (
            {"sources": (source(captured_per_second=25, encoded_per_second=10),)},
            [("publisher_device", "hurt")],
        ),
        ({"sources": (source(captured_per_second=25, encode_seconds=0.05),)}, [("publisher_device", "hurt")]),
        # Few frames for want of bandwidth are the way's trouble.
        (
            {"sources": (source(captured_per_second=25, encoded_per_second=5, limited_by="bandwidth"),)},
            [("publisher_uplink", "watch")],
        ),
        ({"sources": (source(age_seconds=4.0),)}, [("source_frozen", "hurt")]),
        ({"sources": (source(captured_per_second=0),)}, [("source_frozen", "hurt")]),
        ({"sources": (source(picture="black"),)}, [("source_frozen", "hurt")]),
        ({"sources": (source(picture="blurred"),)}, [("source_frozen", "watch")]),
        ({"sources": (source(picture="not_watched"),)}, []),
        # An ultrasound in freeze is no fault.
        ({"sources": (source(picture="unchanged", source_type="ultrasound"),)}, [("source_frozen", "watch")]),
        ({"sources": (source(picture="unchanged"),)}, [("source_frozen", "hurt")]),
        # A muted camera sends nothing, as it should; neither does a silent microphone.
        ({"sources": (source(age_seconds=60.0, muted=True),)}, []),
        ({"sources": (source(age_seconds=60.0, kind="audio"),)}, []),
        # Not a byte any more: the cable, not the camera.
        (
            {"up": leg(bits_per_second=0), "sources": (source(age_seconds=2.0),)},
            [("publisher_uplink", "hurt")],
        ),
        # One of two cameras stands while the way carries the other.
        (
            {"sources": (source(age_seconds=2.0), source(publication="overhead"))},
            [("source_frozen", "hurt")],
        ),
        ({"up": None}, []),
    ],
)
def test_a_publisher_with_one_thing_wrong(changes: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert names(legs.publishing(surgeon(**changes))) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"down": leg(loss_before_ratio=0.2)}, [("viewer_downlink", "hurt")]),
        ({"down": leg(queue_delay_seconds=0.3)}, [("viewer_downlink", "watch")]),
        ({"down": leg(phase="interrupted")}, [("viewer_downlink", "hurt")]),
        ({"down": leg(silent=True)}, [("viewer_downlink", "hurt")]),
        ({"down": leg(silent=True, relayed=True)}, [("relay", "hurt")]),
        # A picture that stands because none is sent is not the computer's.
        ({"down": leg(silent=True), "views": (view(freeze_seconds=1.0),)}, [("viewer_downlink", "hurt")]),
        ({"down": leg(silent=True), "views": (view(state="paused_by_viewer"),)}, []),
        (
            {"down": leg(estimate_bits_per_second=100_000), "views": (view(reason=Reason.LINK),)},
            [("viewer_downlink", "watch")],
        ),
        # Of a source that sends little the estimate stays low, and nobody misses anything.
        ({"down": leg(estimate_bits_per_second=60_000), "views": (view(reason=Reason.FULL),)}, []),
        ({"down": leg(estimate_bits_per_second=60_000), "views": (view(),)}, []),
        ({"down": leg(loss_before_ratio=0.2, relayed=True)}, [("relay", "hurt")]),
        ({"views": (view(loss_before_ratio=0.2),)}, [("viewer_downlink", "hurt")]),
        ({"views": (view(kind="audio", concealed_ratio=0.2),)}, [("viewer_downlink", "hurt")]),
        # What is merely lossy hurts when the picture stands because of it.
        (
            {"down": leg(loss_before_ratio=0.05), "views": (view(freeze_seconds=0.8),)},
            [("viewer_downlink", "hurt")],
        ),
        ({"views": (view(dropped_ratio=0.5),)}, [("viewer_device", "hurt")]),
        ({"views": (view(decode_seconds=0.05),)}, [("viewer_device", "hurt")]),
        # A little of it hurts when the picture stands because of it, ...
        (
            {"views": (view(frames_per_second=9.0, freeze_seconds=0.6, dropped_ratio=0.2),)},
            [("viewer_device", "hurt")],
        ),
        # ... but one that stands says nothing of the computer, least of all where the server sends stills.
        ({"views": (view(frames_per_second=9.0, freeze_seconds=0.6),)}, []),
        ({"views": (view(still_seconds=2.0, freeze_seconds=2.0, frames_per_second=0.5),)}, []),
        ({"views": (view(state="awaiting_keyframe", freeze_seconds=1.0),)}, []),
        (
            {"views": (view(still_seconds=2.0, freeze_seconds=2.0, dropped_ratio=0.2),)},
            [("viewer_device", "watch")],
        ),
        # Fewer frames without a freeze may be a layer of fewer frames.
        ({"views": (view(frames_per_second=9.0),)}, []),
        ({"views": (view(state="paused_by_viewer", dropped_ratio=0.9),)}, []),
        ({"down": None}, []),
    ],
)
def test_a_viewer_with_one_thing_wrong(changes: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert names(legs.viewing(observer(**changes), {"scope": source()}, set())) == expected


def test_what_the_publisher_lost_is_not_the_viewers_fault() -> None:
    lost = {"scope": source(loss_after_ratio=0.2)}
    watching = observer(
        down=leg(loss_before_ratio=0.2), views=(view(loss_before_ratio=0.2, freeze_seconds=0.9),)
    )
    assert legs.viewing(watching, lost, {"scope"}) == []
    worse = observer(down=leg(loss_before_ratio=0.4), views=(view(),))
    assert names(legs.viewing(worse, lost, {"scope"})) == [("viewer_downlink", "hurt")]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # A computer without processor time answers late and plays sound with gaps.
        ({"down": leg(round_trip_seconds=0.5)}, [("viewer_device", "hurt")]),
        ({"down": leg(silent=True)}, [("viewer_device", "hurt")]),
        (
            {"views": (view(dropped_ratio=0.5, concealed_ratio=0.4, freeze_seconds=1.2),)},
            [("viewer_device", "hurt")],
        ),
        # It loses nothing on the way and leaves no queue there.
        ({"down": leg(round_trip_seconds=0.5, loss_before_ratio=0.2)}, [("viewer_downlink", "hurt")]),
        ({"down": leg(round_trip_seconds=0.5, queue_delay_seconds=0.3)}, [("viewer_downlink", "watch")]),
        # A little of it does not explain a very late way.
        (
            {"down": leg(round_trip_seconds=1.0), "views": (view(dropped_ratio=0.2),)},
            [("viewer_downlink", "hurt")],
        ),
    ],
)
def test_an_overloaded_viewer_is_not_taken_for_a_bad_way(
    changes: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    watching = observer(**{"views": (view(dropped_ratio=0.5),), **changes})
    assert names(legs.viewing(watching, {"scope": source()}, set())) == expected


def test_an_overloaded_publisher_is_not_taken_for_a_bad_way() -> None:
    slow = source(captured_per_second=25, encode_seconds=0.05)
    late = leg(jitter_seconds=0.4, round_trip_seconds=0.4)
    assert names(legs.publishing(surgeon(up=late, sources=(slow,)))) == [("publisher_device", "hurt")]
    lossy = leg(jitter_seconds=0.4, loss_before_ratio=0.2)
    both = [("publisher_uplink", "hurt"), ("publisher_device", "hurt")]
    assert names(legs.publishing(surgeon(up=lossy, sources=(slow,)))) == both


_FIGURE = st.none() | st.sampled_from([0.0, 0.005, 0.02, 0.05, 0.25, 0.6, 2.0])
_LEG = st.builds(
    LegSample,
    phase=st.sampled_from(["connected", "connected", "interrupted"]),
    loss_before_ratio=_FIGURE,
    loss_after_ratio=_FIGURE,
    round_trip_seconds=_FIGURE,
    queue_delay_seconds=_FIGURE,
    estimate_bits_per_second=st.none() | st.sampled_from([50_000, 5_000_000]),
    silent=st.booleans(),
)
_VIEW = st.builds(
    ViewSample,
    publication=st.just("scope"),
    kind=st.sampled_from(["audio", "video"]),
    state=st.sampled_from(["forwarding", "nothing_flows", "paused_by_viewer"]),
    reason=st.none() | st.sampled_from(Reason),
    loss_before_ratio=_FIGURE,
    loss_after_ratio=_FIGURE,
    frames_per_second=st.none() | st.sampled_from([0.0, 3.0, 25.0]),
    freeze_seconds=st.sampled_from([0.0, 0.3, 2.0]),
    dropped_ratio=_FIGURE,
    decode_seconds=_FIGURE,
    concealed_ratio=_FIGURE,
)


@given(_LEG, st.lists(_VIEW, max_size=2), _FIGURE)
def test_of_whom_is_well_nothing_is_found(
    leg: LegSample, views: list[ViewSample], lost: float | None
) -> None:
    watching = observer(down=leg, views=tuple(views))
    if legs.viewing(watching, {"scope": source(loss_after_ratio=lost)}, set()):
        assert not legs.is_well(watching)


def test_a_healthy_viewer_is_well() -> None:
    assert legs.is_well(observer())
    assert legs.is_well(surgeon())
