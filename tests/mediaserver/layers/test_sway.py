"""To and fro is told from up and down."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mediaserver.layers.sway import Sway, note


def after(
    estimate: Callable[[float], float], seconds: float, sway: Sway | None = None, start: float = 0.0
) -> Sway:
    ticks = int(seconds * 10)
    for tick in range(ticks):
        sway = note(sway, start + tick / 10, estimate(start + tick / 10))
    assert sway is not None
    return sway


def test_a_step_is_no_sway_and_neither_is_a_climb() -> None:
    assert after(lambda t: 2e6 if t < 20 else 250e3, 40).volatility() == 0
    assert after(lambda t: 180e3 * 1.3**t, 10).volatility() == 0


def test_a_square_wave_has_half_its_width() -> None:
    sway = after(lambda t: 2e6 if int(t / 3) % 2 else 500e3, 30)
    assert sway.volatility() == pytest.approx(0.69, abs=0.15)


def test_it_is_forgotten() -> None:
    sway = after(lambda t: 2e6 if int(t / 3) % 2 else 500e3, 30)
    assert after(lambda _: 2e6, 60, sway, 30.0).volatility() < 0.05


def test_a_dip_and_its_return_is_one_sway() -> None:
    sway = after(lambda t: 250e3 if 10 <= t < 12 else 2e6, 13)
    assert sway.value < 0.1, "the way back is not over"
    sway = after(lambda _: 1.7e6, 1, sway, 13.0)
    assert sway.value > 1.5
