"""``benchmarks/least.py``: what even a sender that knows everything must let freeze."""

from __future__ import annotations

import pytest

from benchmarks.least import carried, frozen, opportunities


def test_a_trace_begins_anew_where_it_ends() -> None:
    assert list(opportunities(["100", "400", "500"], 0.3, 0.8)) == pytest.approx([0.1, 0.2, 0.3, 0.6, 0.7])


def test_a_link_that_carries_enough_loses_nothing() -> None:
    pictures, sounds = carried([n / 50 for n in range(1_001)], 20.0)
    assert (len(pictures), len(sounds)) == (250, 1_000)
    assert frozen(pictures, 20.0) == 0.0


def test_of_an_outage_what_receivers_wait_is_no_freeze() -> None:
    """Pictures are shown 0.4 s late, so of 1.5 s without any link 1.1 s are left, and one interval."""
    moments = [n / 50 for n in range(1_001) if not 600 <= n < 675]
    pictures, sounds = carried(moments, 20.0)
    assert frozen(pictures, 20.0) == pytest.approx(1.5 - 0.4, abs=0.17)
    assert 1_000 - len(sounds) == pytest.approx((1.5 - 0.2) * 50, abs=2)
