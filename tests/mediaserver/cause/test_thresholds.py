"""Limits: what passes which, and that a finding is as bad as its worst."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediaserver.cause import thresholds
from mediaserver.cause.thresholds import LOSS_BEFORE, Limit, above, below, finding, true

ALL = [one for one in vars(thresholds).values() if isinstance(one, Limit)]


@pytest.mark.parametrize("limit", ALL, ids=lambda one: one.measure)
def test_what_hurts_was_to_be_watched_before(limit: Limit) -> None:
    assert 0 < limit.watch <= limit.hurt


@pytest.mark.parametrize(
    ("value", "severity"),
    [(None, None), (0.0, None), (0.03, None), (0.0301, "watch"), (0.1, "watch"), (0.11, "hurt")],
)
def test_loss_is_judged_by_what_it_passed(value: float | None, severity: str | None) -> None:
    passed = above(LOSS_BEFORE, value)
    assert (passed and passed[0]) == severity
    if passed is not None and value is not None:
        assert passed[1].value > passed[1].limit


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_worse_values_are_never_judged_better(a: float, b: float) -> None:
    order = [None, "watch", "hurt"]
    low, high = sorted((a, b))
    pairs = [
        (above(LOSS_BEFORE, low), above(LOSS_BEFORE, high)),
        (below("disk_free", "bytes", 1e6 - low, 5e5, 1e5), below("disk_free", "bytes", 1e6 - high, 5e5, 1e5)),
    ]
    for first, second in pairs:
        assert order.index(first and first[0]) <= order.index(second and second[0])


def test_a_finding_is_as_bad_as_its_worst_and_none_without_evidence() -> None:
    assert finding("clock", None, None) is None
    found = finding("clock", above(LOSS_BEFORE, 0.05), true("interrupted", "hurt"), participant="p")
    assert found is not None
    assert (found.severity, len(found.evidence), found.participant) == ("hurt", 2, "p")
