"""How long more must have been possible before more is sent."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediaserver.layers import Link
from mediaserver.layers.proof import (
    ANOTHER_LINK,
    FAILED_HOLD,
    FORGIVEN_SECONDS,
    GREATEST_HOLD,
    LEAST_HOLD,
    LONGEST_HOLD,
    START_HOLD,
    Failure,
    History,
    Memory,
    greatest,
    hold,
    hold_after,
    hold_for,
    judge,
    least,
    note,
    proven_at,
)
from tests.mediaserver.layers.viewing import steady

STEADY = steady(1_000_000)


def noted(*estimates: tuple[float, float]) -> History:
    history: History = ()
    for now, estimate in estimates:
        history = note(history, now, estimate)
    return history


@given(st.lists(st.tuples(st.floats(0.01, 2), st.integers(1, 9)), min_size=1, max_size=40), st.floats(0, 20))
def test_the_least_and_the_greatest_since_any_moment(steps: list[tuple[float, int]], back: float) -> None:
    now, series = 0.0, []
    for step, estimate in steps:
        now += step
        series.append((now, float(estimate)))
    since = now - back
    # What was in force at `since`, and all that came after.
    before = [estimate for at, estimate in series if at <= since][-1:]
    window = before + [estimate for at, estimate in series if at > since]
    assert least(noted(*series), since) == min(window)
    assert greatest(noted(*((at, -estimate) for at, estimate in series)), since) == max(window)


def test_when_a_proof_will_be_complete() -> None:
    history = noted((0.0, 100), (1.0, 50), (2.0, 100))
    assert proven_at(history, 80, 0.5) == 2.5
    assert proven_at(history, 40, 0.5) == -math.inf
    assert proven_at(history, 120, 0.5) == math.inf


def test_a_restless_link_must_prove_itself_longer() -> None:
    assert hold(STEADY) == LEAST_HOLD
    assert hold(steady(1, 0.5)) > hold(steady(1, 0.3)) > LEAST_HOLD
    assert hold(steady(1, 3.0)) == GREATEST_HOLD
    assert hold(Link(1, "start", volatility=3.0)) == START_HOLD


def test_a_failure_doubles_up_to_a_bound_and_is_forgiven() -> None:
    holds = [hold_after(Failure(1e6, count, 0.0), STEADY, 0.0) for count in range(1, 7)]
    assert holds == [
        FAILED_HOLD,
        2 * FAILED_HOLD,
        4 * FAILED_HOLD,
        8 * FAILED_HOLD,
        LONGEST_HOLD,
        LONGEST_HOLD,
    ]
    assert hold_after(Failure(1e6, 2, 0.0), STEADY, FORGIVEN_SECONDS) == FAILED_HOLD
    assert hold_after(Failure(1e6, 2, 0.0), STEADY, 2 * FORGIVEN_SECONDS) == hold(STEADY)


def test_on_a_link_that_is_never_still_a_failure_says_little() -> None:
    assert hold_after(Failure(1e6, 4, 0.0), steady(1, 0.5), 0.0) == hold(steady(1, 0.5))
    assert hold_after(Failure(1e6, 4, 0.0), steady(1, 0.06), 0.0) == 8 * FAILED_HOLD


def test_only_as_much_as_failed_waits() -> None:
    memory = Memory(failure=Failure(1e6, 1, 0.0))
    assert hold_for(9e5, memory, STEADY, 1.0) == hold(STEADY)
    assert hold_for(9.9e5, memory, STEADY, 1.0) == FAILED_HOLD


def test_a_failure_says_nothing_of_a_link_that_became_another() -> None:
    memory = Memory(failure=Failure(2.5e5, 4, 0.0))
    near, far = steady(int(2.5e5 * ANOTHER_LINK) - 1), steady(int(2.5e5 * ANOTHER_LINK))
    assert hold_for(2.5e5, memory, near, 1.0) == 8 * FAILED_HOLD
    assert hold_for(2.5e5, memory, far, 1.0) == hold(far)


def test_what_is_taken_back_within_five_seconds_was_false() -> None:
    memory = judge(Memory(), STEADY, 10.0, rose_to=1e6, fell=False)
    assert judge(memory, STEADY, 14.9, rose_to=None, fell=True).failure == Failure(1e6, 1, 14.9)
    assert judge(memory, STEADY, 15.1, rose_to=None, fell=True).failure is None


def test_failures_in_a_row_count_and_a_success_halves_them() -> None:
    memory, now = Memory(), 0.0
    for _ in range(3):
        memory = judge(memory, STEADY, now, rose_to=1e6, fell=False)
        memory = judge(memory, STEADY, now + 1, rose_to=None, fell=True)
        now += 30
    assert memory.failure is not None
    assert memory.failure.count == 3
    memory = judge(memory, STEADY, now, rose_to=1e6, fell=False)
    assert memory.attempt is not None
    assert memory.attempt.lasts == pytest.approx(4 * FAILED_HOLD), "what was waited for must last as long"
    memory = judge(memory, STEADY, now + 21, rose_to=None, fell=False)
    assert memory.failure is not None
    assert memory.failure.count == 1
    memory = judge(replace(memory, attempt=None), STEADY, now + 22, rose_to=1e6, fell=False)
    assert judge(memory, STEADY, now + 40, rose_to=None, fell=False).failure is None


def test_a_fall_without_an_attempt_is_nobodys_fault() -> None:
    assert judge(Memory(), STEADY, 1.0, rose_to=None, fell=True) == Memory()
