"""What a publisher is asked to send."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediaserver.layers import Fitted, Viewing, fit
from mediaserver.layers.fitting import (
    FEW_VIEWERS,
    LEAVE_OUT_SECONDS,
    LOWER_SECONDS,
    PROTECTED,
    RAISE_SECONDS,
)
from mediaserver.layers.rates import HEADERS

LADDER = (165_000, 540_000, 1_830_000)


def fitted(*viewers: Viewing, seconds: float = LEAVE_OUT_SECONDS + 1, before: Fitted | None = None) -> Fitted:
    now = 0.0 if before is None else before.changed_at
    state = fit(now, LADDER, viewers, before)
    while now < seconds + (0.0 if before is None else before.changed_at):
        now += 0.5
        state = fit(now, LADDER, viewers, state)
    return state


def test_ample_links_leave_the_ladder_as_it_is() -> None:
    state = fitted(Viewing(5e6), Viewing(8e6))
    assert (state.active, state.rates) == ((True, False, True), (None, None, None))


def test_a_viewer_between_two_rungs_gets_the_upper_one_made_to_measure() -> None:
    state = fitted(Viewing(1.2e6))
    assert state.active[2]
    assert state.rates[2] is not None
    assert 0.85 * 1.2e6 < state.rates[2] * HEADERS < 1.2e6


def test_a_good_viewer_does_not_pay_for_a_bad_one() -> None:
    state = fitted(Viewing(20e6), Viewing(200e3))
    assert (state.active, state.rates[2]) == ((True, False, True), None)
    best = fitted(Viewing(1.9e6), Viewing(1.5e6), Viewing(1.45e6), Viewing(0.8e6)).rates[2]
    assert best is not None
    assert best * HEADERS >= PROTECTED * 1.9e6 * 0.9


def test_with_many_viewers_the_ladder_stands() -> None:
    assert fitted(*[Viewing(1.2e6)] * (FEW_VIEWERS + 1)).rates == (None, None, None)


def test_small_pictures_need_no_large_encoding() -> None:
    assert fitted(Viewing(5e6, cap=0)).active == (True, False, False)
    assert fitted(Viewing(5e6, cap=1)).active == (True, True, False)


def test_nobody_needs_more_than_a_beginning() -> None:
    assert fitted().active == (True, False, False)


def test_what_is_needed_comes_at_once_and_what_is_not_goes_late() -> None:
    state = fitted(Viewing(200e3))
    assert state.active == (True, False, False)
    state = fit(20.0, LADDER, [Viewing(5e6)], state)
    assert state.active == (True, False, True)
    state = fit(29.0, LADDER, [Viewing(200e3)], state)
    assert state.active[2]
    assert not fit(30.5, LADDER, [Viewing(200e3)], state).active[2]


def test_a_rate_follows_its_viewer_without_haste() -> None:
    low = fitted(Viewing(1.0e6))
    soon = fit(low.changed_at + RAISE_SECONDS / 2, LADDER, [Viewing(1.6e6)], low)
    assert soon.rates == low.rates
    assert fit(low.changed_at + RAISE_SECONDS, LADDER, [Viewing(1.6e6)], low).rates[2] > (low.rates[2] or 0)  # type: ignore[operator]
    assert fit(low.changed_at + 30, LADDER, [Viewing(1.05e6)], low).rates == low.rates, "not noticeable"
    high = fitted(Viewing(1.6e6))
    assert fit(high.changed_at + LOWER_SECONDS, LADDER, [Viewing(0.9e6)], high).rates != high.rates


def test_a_source_alone_may_be_squeezed_further() -> None:
    one = fit(0.0, (2_600_000,), [Viewing(900e3)], None)
    assert one.rates[0] == pytest.approx(900e3 * 0.92 / HEADERS, abs=1)
    assert fit(0.0, (2_600_000,), [Viewing(200e3)], None).rates == (None,), "too little to be of use"


@given(
    st.lists(st.builds(Viewing, st.floats(0, 1e7), st.sampled_from((None, 0, 1, 2))), max_size=8),
    st.integers(0, 5),
)
def test_the_lowest_always_comes_and_no_rate_leaves_its_place(viewers: list[Viewing], drop: int) -> None:
    state = fit(0.0, LADDER, viewers, None)
    state = fit(LEAVE_OUT_SECONDS * 2, LADDER, viewers[drop:], state)
    assert state.active[0]
    wire = [LADDER[i] if rate is None else rate * HEADERS for i, rate in enumerate(state.rates)]
    assert wire == sorted(wire)
    assert all(rate <= whole + HEADERS for rate, whole in zip(wire, LADDER, strict=True))
