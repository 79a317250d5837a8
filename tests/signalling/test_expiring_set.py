"""Token ids remembered as long as their tokens live."""

from __future__ import annotations

import pytest

from signalling.errors import RateLimited
from signalling.expiring_set import ExpiringSet


def test_remembered_tokens_are_bounded_and_forgotten() -> None:
    remembered = ExpiringSet(limit=2)
    remembered.add("a", until_seconds=10, now_seconds=0)
    remembered.add("b", until_seconds=20, now_seconds=0)
    with pytest.raises(RateLimited):
        remembered.add("c", until_seconds=30, now_seconds=5)
    remembered.add("c", until_seconds=30, now_seconds=15)
    assert "a" not in remembered
    assert "b" in remembered
    assert "c" in remembered
    assert len(remembered) == 2


def test_one_may_be_forgotten_before_its_time() -> None:
    remembered = ExpiringSet(limit=1)
    remembered.add("a", until_seconds=10, now_seconds=0)
    remembered.discard("a")
    remembered.discard("a")
    remembered.add("b", until_seconds=10, now_seconds=0)
    assert "a" not in remembered
