"""Layer choice over series of links: how soon, how much, and how many switches."""

from __future__ import annotations

import pytest

from tests.mediaserver.layers.fluid import follow, steps, trace
from tests.mediaserver.layers.viewing import LADDER

TOP, MIDDLE, LOW = (row[-1] for row in reversed(LADDER))


def test_a_constant_link_is_chosen_for_once() -> None:
    for capacity in (250e3, 700e3, 1.0e6, 2.0e6, 5.0e6):
        outcome = follow(steps((60, capacity)))
        assert all(at < 3 for at, _, _ in outcome.switches), capacity
        assert len(outcome.switches) <= 4


@pytest.mark.parametrize("seed", range(5))
def test_a_noisy_estimate_makes_no_flapping_wherever_it_stands(seed: int) -> None:
    """Ten per cent either way, between the rungs and on them, two minutes each."""
    for capacity in (0.55e6, 0.6e6, 0.62e6, 0.65e6, 1.9e6, 1.95e6, 2.0e6, 2.05e6, 2.1e6):
        outcome = follow(steps((120, capacity)), noise=0.1, seed=seed)
        late = [at for at in outcome.ups() if at > 10]
        assert len(late) <= 6, (capacity, outcome.switches)
        assert outcome.false_ups() <= 4, (capacity, outcome.switches)


def test_a_link_that_returns_shows_the_top_again_within_a_second_of_its_estimate() -> None:
    outcome = follow(steps((20, 2e6), (20, 250e3), (20, 2e6)))
    assert outcome.when(TOP, 0) < 3
    assert max(outcome.rates[int(20.4 / 0.05) : int(40 / 0.05)]) <= LOW
    assert outcome.when(TOP, 40) < 42
    assert len([at for at in outcome.ups() if at > 20]) <= 3


def test_a_thin_link_never_sees_more_than_it_carries() -> None:
    outcome = follow(steps((60, 300e3)))
    assert max(outcome.rates) == LOW
    assert outcome.delay(1.0) < 0.05


def test_outages_come_and_go_without_wearing_the_choice_out() -> None:
    outcome = follow(steps(*[(17, 1e6), (3, 20e3)] * 30))
    late = outcome.rates[-int(20 / 0.05) : -int(4 / 0.05)]
    assert sum(rate >= MIDDLE for rate in late) / len(late) > 0.75


@pytest.mark.parametrize(
    ("name", "start", "round_trip", "queue_bytes", "utilisation", "delay", "switches"),
    [
        ("mahimahi/TMobile-UMTS-driving.down", 300.0, 0.15, 64_000, 0.6, 0.4, 120),
        ("mahimahi/Verizon-EVDO-driving.down", 200.0, 0.15, 64_000, 0.33, 0.15, 200),
        ("mahimahi/ATT-LTE-driving-2016.down", 0.0, 0.08, 250_000, 0.75, 0.1, 140),
        ("norway3g/tram-1.csv", 100.0, 0.15, 64_000, 0.5, 0.05, 25),
    ],
)
def test_recorded_links(
    name: str,
    start: float,
    round_trip: float,
    queue_bytes: float,
    utilisation: float,
    delay: float,
    switches: int,
) -> None:
    """What an estimate one round trip late allows: bounds against getting worse, not goals."""
    outcome = follow(trace(name, start), round_trip=round_trip, queue_bytes=queue_bytes)
    figures = (outcome.utilisation, outcome.delay(0.95), len(outcome.switches))
    assert figures[0] >= utilisation, figures
    assert figures[1] <= delay, figures
    assert figures[2] <= switches, figures
