"""Clocks of publishers on one axis: drift, jitter, steps, and streams that report nothing."""

from __future__ import annotations

import random

import pytest

from mediaserver.recording.axis import Line, Report, by_arrivals, by_reports, least_delays, publisher_offset


def test_a_line_goes_straight_between_points_and_on_beyond_them() -> None:
    line = Line([(0.0, 10.0), (10.0, 30.0)], slope=1.0)
    assert [line(x) for x in (-5.0, 0.0, 5.0, 10.0, 12.0)] == [5.0, 10.0, 20.0, 30.0, 32.0]


def test_the_least_delay_of_every_window_counts() -> None:
    line = least_delays([(float(x), 5.0 + x * 0.0002 + (x % 7) * 0.01) for x in range(140)])
    assert [line(x) for x in (0.0, 70.0, 139.0)] == pytest.approx([5.0, 5.014, 5.0278], abs=0.001)


def reports(ppm: float, seconds: int, jitter: float, seed: int) -> list[Report]:
    chance = random.Random(seed)
    fast = 1 + ppm / 1e6
    return [
        Report(at + 0.02 + chance.random() * jitter, 3.9e9 + at * fast, round(at * fast * 90_000))
        for at in range(seconds)
    ]


@pytest.mark.parametrize("ppm", [-200.0, 0.0, 200.0])
def test_drift_is_followed_through_jitter(ppm: float) -> None:
    told = reports(ppm, 90, jitter=0.1, seed=3)
    offsets = publisher_offset(told)
    line = by_reports([(r.rtp, r.ntp + offsets[i]) for i, r in enumerate(told)], 90_000)
    assert line is not None
    worst = max(abs(line(round(at * (1 + ppm / 1e6) * 90_000)) - at - 0.02) for at in range(90))
    assert worst < 0.012


def test_a_publishers_clock_that_was_set_moves_nothing() -> None:
    told = [Report(at + 0.02, 3.9e9 + at + (3_600.0 if at >= 30 else 0.0), at * 90_000) for at in range(60)]
    offsets = publisher_offset(told)
    assert [round(r.ntp + offsets[i], 3) for i, r in enumerate(told)] == [at + 0.02 for at in range(60)]


def test_a_report_in_error_is_left_out() -> None:
    points = [(0, 0.0), (90_000, 1.0), (180_000, 7.0), (270_000, 3.0)]
    line = by_reports(points, 90_000)
    assert line is not None
    assert line(180_000) == pytest.approx(2.0)
    assert by_reports([], 90_000) is None


def test_arrivals_alone_give_a_clock_too() -> None:
    chance = random.Random(5)
    packets = [(i * 1_800, i * 0.02 + 4.0 + chance.random() * 0.05) for i in range(3_000)]
    line = by_arrivals(packets, 90_000)
    assert max(abs(line(rtp) - rtp / 90_000 - 4.0) for rtp, _ in packets) < 0.01
