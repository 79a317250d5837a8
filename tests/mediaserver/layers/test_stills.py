"""One key frame in a while."""

from __future__ import annotations

from mediaserver.layers.stills import (
    AWAIT_SECONDS,
    SHORTEST_SECONDS,
    Awaiting,
    Resting,
    Running,
    advance,
    begin,
    due,
    forwarded,
    runs,
)


def test_a_still_a_second() -> None:
    pulse = begin(10.0)
    assert runs(pulse)
    pulse = forwarded(pulse, 10.2, 0.3)
    assert (pulse, due(pulse)) == (Running(10.2, 10.5), 10.5)
    pulse = advance(pulse, 10.5, 1.0)
    assert pulse == Resting(11.2)
    assert not runs(pulse)
    assert advance(pulse, 11.1, 1.0) == pulse
    assert advance(pulse, 11.2, 1.0) == Awaiting(11.2)


def test_a_publisher_that_sends_no_key_frame_is_left_alone_for_a_while() -> None:
    pulse = begin(0.0)
    assert advance(pulse, AWAIT_SECONDS - 0.1, 5.0) == pulse
    assert advance(pulse, due(pulse), 5.0) == Resting(AWAIT_SECONDS + 5.0)


def test_a_small_key_frame_on_a_fast_link_is_not_cut_in_two() -> None:
    assert forwarded(begin(0.0), 1.0, 0.001) == Running(1.0, 1.0 + SHORTEST_SECONDS)


def test_only_the_awaited_key_frame_counts() -> None:
    assert forwarded(Resting(5.0), 1.0, 0.1) == Resting(5.0)
    assert forwarded(Running(1.0, 2.0), 1.5, 9.0) == Running(1.0, 2.0)


def test_a_key_frame_that_takes_longer_than_the_interval_is_followed_by_the_next() -> None:
    assert advance(Running(0.0, 2.0), 2.0, 1.0) == Resting(2.0)
