"""A decision as the plane is told it: layers, stills and pauses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mediaserver.layers import Choice, Forward, Pause, Still
from mediaserver.plane import Plane

WANT_CHANGED = 0.05
"""Smaller changes of what would be useful are not told."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the plane knows of one subscription."""

    layer: int | None = None
    spatial: int | None = None
    temporal: int | None = None
    paused: bool = False
    still_seconds: float | None = None
    """Between two stills; ``None``: it moves."""


@dataclass(slots=True)
class Wishes:
    """What the plane was told for one viewer; tells differences only."""

    told: dict[int, Told] = field(default_factory=dict)
    wanted: int = 0

    def carry_out(self, plane: Plane, choices: Mapping[int, Choice]) -> None:
        """Tells what changed."""
        for gone in self.told.keys() - choices.keys():
            del self.told[gone]
        for handle, choice in choices.items():
            wish = _wish(choice.sending)
            if self.told.get(handle) != wish:
                self.told[handle] = wish
                plane.prefer(
                    handle,
                    layer=wish.layer,
                    spatial=wish.spatial,
                    temporal=wish.temporal,
                    paused=wish.paused,
                    still_seconds=wish.still_seconds,
                )

    def want(self, plane: Plane, transport: int, rate: int) -> None:
        """Up to which rate more would be useful."""
        if abs(rate - self.wanted) > WANT_CHANGED * max(rate, self.wanted):
            self.wanted = rate
            plane.want(transport, rate)


def _wish(sending: Forward | Still | Pause) -> Told:
    match sending:
        case Pause():
            return Told(paused=True)
        case Forward(option):
            return Told(option.encoding, option.spatial, option.temporal)
        case Still(option, interval):
            return Told(option.encoding, option.spatial, option.temporal, still_seconds=interval)
