"""How far an estimate goes to and fro: what speaks for waiting, as a mere step to another level does not."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

TURN = 0.05
"""A way back shorter than this, as a difference of logarithms, is no turn."""
MEMORY_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Sway:
    """Levels are natural logarithms of the estimate.

    ``value`` is the width of the widest swing, fading: of two ways one after the other the shorter.
    """

    pivot: float
    extreme: float
    way: float = 0.0
    """From the turn before the last one to the last."""
    value: float = 0.0
    at: float = 0.0

    def volatility(self) -> float:
        """Half the swing: what the standard deviation of a square wave would be."""
        return self.value / 2


def note(sway: Sway | None, now: float, estimate: float) -> Sway:
    """The sway with one more estimate."""
    level = math.log(max(estimate, 1.0))
    if sway is None:
        return Sway(level, level, at=now)
    fading = math.exp(-max(now - sway.at, 0.0) / MEMORY_SECONDS)
    sway = replace(sway, value=sway.value * fading, at=now)
    onwards = (level - sway.extreme) * (sway.extreme - sway.pivot) >= 0
    if onwards:
        return replace(sway, extreme=level)
    if abs(level - sway.extreme) < TURN:
        return sway
    way = abs(sway.extreme - sway.pivot)
    return Sway(sway.extreme, level, way, max(sway.value, min(way, sway.way)), now)
