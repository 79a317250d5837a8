"""Counters as rates and shares, over snapshots that may be the same one twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mediaserver.quality_history.figures import Change, difference
from tests.mediaserver.seconds import Plain


@dataclass
class Snapshot:
    transports: Plain = field(default_factory=Plain)
    publications: Plain = field(default_factory=Plain)
    subscriptions: Plain = field(default_factory=Plain)
    busy: float = 0.0

    @property
    def workers(self) -> list[dict[str, object]]:
        return [{"busy_seconds": self.busy}]


def test_rates_are_of_the_time_between() -> None:
    first = difference(Snapshot(Plain({1: {"bytes_in": 1000}}), busy=1.0), 1.0, None)
    second = difference(Snapshot(Plain({1: {"bytes_in": 3000}, 2: {"bytes_in": 5}}), busy=1.1), 2.0, first)
    assert second.transport(1).bits_per_second("bytes_in") == 8000
    # What was not there before has no rate yet, and what is gone has none any more.
    assert second.transport(2).bits_per_second("bytes_in") == 0
    assert second.transport(3).grown("bytes_in") == 0
    assert second.fresh


def test_a_snapshot_read_twice_is_not_fresh() -> None:
    first = difference(Snapshot(busy=1.0), 1.0, None)
    assert not difference(Snapshot(busy=1.0), 1.0, first).fresh


def test_snapshots_do_not_chain() -> None:
    last = None
    for index in range(5):
        last = difference(Snapshot(busy=float(index)), 1.0, last)
    assert last is not None
    assert last.before is not None
    assert last.before.before is None


@given(*[st.integers(0, 10_000)] * 3)
def test_losses_are_shares_and_repair_never_adds(packets: int, repaired: int, lost: int) -> None:
    now: dict[str, Any] = {"packets": packets + repaired, "repaired": repaired, "unrepaired": lost}
    before, after = Change(now, {"packets": 0, "repaired": 0, "unrepaired": 0}, 1.0).losses()
    if packets + repaired + lost == 0:
        assert (before, after) == (None, None)
    else:
        assert before is not None
        assert after is not None
        assert 0 <= after <= before <= 1
