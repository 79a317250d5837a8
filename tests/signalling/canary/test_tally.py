"""Delay, loss and silence of what came back."""

from __future__ import annotations

import pytest

from signalling.canary.tally import WINDOW_SECONDS, Tally, Told
from signalling.loopback import Seen


def test_nothing_came_back_yet() -> None:
    assert Tally(100.0).told(107.0) == Told(None, None, 7.0)


def test_the_median_delay_and_the_gaps() -> None:
    tally = Tally(0.0)
    for number, delay in ((10, 0.1), (11, 0.9), (14, 0.2)):
        tally.saw(Seen(number, delay), number / 5)
    told = tally.told(3.0)
    assert told.delay_seconds == 0.2
    assert told.loss_ratio == pytest.approx(2 / 5)
    assert told.silent_seconds == pytest.approx(0.2)


def test_a_picture_that_came_twice_counts_once() -> None:
    tally = Tally(0.0)
    for number in (1, 2, 2, 3):
        tally.saw(Seen(number, 0.1), 1.0)
    assert tally.told(1.0).loss_ratio == 0.0


def test_what_is_long_ago_is_forgotten_but_not_when_it_was() -> None:
    tally = Tally(0.0)
    tally.saw(Seen(1, 0.1), 5.0)
    assert tally.told(6.0 + WINDOW_SECONDS) == Told(None, None, 1.0 + WINDOW_SECONDS)
