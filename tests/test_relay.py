"""What the relay's reports say of the machine it ran on."""

from __future__ import annotations

import pytest

from tests.relay import noise

REPORT = (
    "t={seconds}000000us up=Counts {{ pushed: 1 }} down=Counts {{ pushed: 1 }} refused=0 unsent=0 "
    "late_us p50=20 p99={late} max=90000 stolen_ticks={stolen}\n"
)


def reports(late: int, stolen: int) -> str:
    """Two, ten seconds apart."""
    first = REPORT.format(seconds=2, late=100, stolen=7_000)
    return first + REPORT.format(seconds=12, late=late, stolen=7_000 + stolen)


def test_a_machine_with_time_is_no_excuse() -> None:
    assert noise(reports(late=19_000, stolen=0)) is None
    assert noise("relay: late of another kind") is None


@pytest.mark.parametrize(("late", "stolen"), [(21_000, 0), (100, 2_000_000)])
def test_a_machine_without_time_is_named(late: int, stolen: int) -> None:
    assert "ms late" in str(noise(reports(late, stolen)))
