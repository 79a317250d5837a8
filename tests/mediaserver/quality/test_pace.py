"""Looks cost no more than their shares, however many sources there are and however large."""

from __future__ import annotations

import pytest

from mediaserver.quality.pace import APART_SECONDS, LONGEST_SECONDS, SOURCE_SHARE, Pace


def test_few_small_sources_are_looked_at_each_second() -> None:
    pace = Pace(0.25)
    assert pace.apart_seconds("a") == APART_SECONDS
    for number in range(50):
        pace.looked(str(number), 0.004)
    assert pace.apart_seconds("0") == APART_SECONDS


@pytest.mark.parametrize("sources", [1, 10, 150, 500])
@pytest.mark.parametrize("cost", [0.002, 0.02, 0.07])
def test_no_share_is_passed(sources: int, cost: float) -> None:
    pace = Pace(0.25)
    names = [str(number) for number in range(sources)]
    for name in names:
        pace.looked(name, cost)
    apart = [pace.apart_seconds(name) for name in names]
    assert all(cost / one <= SOURCE_SHARE + 1e-9 for one in apart)
    assert sum(cost / one for one in apart) <= 0.25 + 1e-9 or set(apart) == {LONGEST_SECONDS}


def test_a_large_one_slows_all_only_by_its_part() -> None:
    pace = Pace(0.25)
    pace.looked("large", 0.09)
    pace.looked("small", 0.01)
    assert pace.apart_seconds("large") == pytest.approx(3.0)
    assert pace.apart_seconds("small") == APART_SECONDS


def test_what_is_gone_costs_nothing() -> None:
    pace = Pace(0.25)
    for number in range(100):
        pace.looked(str(number), 0.05)
    assert pace.apart_seconds("0") == pytest.approx(20.0)
    for number in range(1, 100):
        pace.forget(str(number))
        pace.forget(str(number))
    assert pace.apart_seconds("0") == pytest.approx(0.05 / SOURCE_SHARE)
