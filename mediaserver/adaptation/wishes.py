"""A decision as the plane is told it: layers, pauses, and stills as short runs between pauses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mediaserver.layers import Choice, Forward, Pause, Still, stills
from mediaserver.layers.rungs import STILL_SENT_SECONDS
from mediaserver.layers.stills import Pulse
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


@dataclass(slots=True)
class Wishes:
    """What the plane was told for one viewer; tells differences only."""

    told: dict[int, Told] = field(default_factory=dict)
    pulses: dict[int, tuple[Pulse, float, float]] = field(default_factory=dict)
    """Subscription -> its pulse, seconds between stills, and seconds that one still takes on the link."""
    wanted: int = 0

    def carry_out(self, plane: Plane, choices: Mapping[int, Choice], carries: float, now: float) -> None:
        """``carries``: bits per second that the link has for pictures."""
        for gone in self.told.keys() - choices.keys():
            del self.told[gone]
        for gone in self.pulses.keys() - choices.keys():
            del self.pulses[gone]
        for handle, choice in choices.items():
            sending = choice.sending
            if isinstance(sending, Still):
                self._pulse(handle, choice, sending, carries, now)
            else:
                self.pulses.pop(handle, None)
            self._tell(plane, handle, _wish(sending, paused=self._rests(handle)))

    def want(self, plane: Plane, transport: int, rate: int) -> None:
        """Up to which rate more would be useful."""
        if abs(rate - self.wanted) > WANT_CHANGED * max(rate, self.wanted):
            self.wanted = rate
            plane.want(transport, rate)

    def forwarded(self, handle: int, now: float) -> None:
        """A subscription began to be forwarded: if a still was awaited, it passes now."""
        if handle in self.pulses:
            pulse, interval, takes = self.pulses[handle]
            self.pulses[handle] = (stills.forwarded(pulse, now, takes), interval, takes)

    def beat(self, plane: Plane, choices: Mapping[int, Choice], now: float) -> None:
        """Lets stills begin and end whose time has come."""
        for handle, (pulse, interval, takes) in self.pulses.items():
            self.pulses[handle] = (stills.advance(pulse, now, interval), interval, takes)
            self._tell(plane, handle, _wish(choices[handle].sending, paused=self._rests(handle)))

    def due(self) -> float:
        """When ``beat`` has something to do."""
        return min((stills.due(pulse) for pulse, _, _ in self.pulses.values()), default=float("inf"))

    def _pulse(self, handle: int, choice: Choice, still: Still, carries: float, now: float) -> None:
        pulse = self.pulses[handle][0] if handle in self.pulses else stills.begin(now)
        takes = choice.rate * min(still.interval_seconds, STILL_SENT_SECONDS) / max(carries, choice.rate, 1.0)
        self.pulses[handle] = (pulse, still.interval_seconds, takes)

    def _rests(self, handle: int) -> bool:
        return handle in self.pulses and not stills.runs(self.pulses[handle][0])

    def _tell(self, plane: Plane, handle: int, wish: Told) -> None:
        if self.told.get(handle) != wish:
            self.told[handle] = wish
            plane.prefer(
                handle, layer=wish.layer, spatial=wish.spatial, temporal=wish.temporal, paused=wish.paused
            )


def _wish(sending: Forward | Still | Pause, *, paused: bool) -> Told:
    match sending:
        case Pause():
            return Told(paused=True)
        case Forward(option) | Still(option):
            return Told(option.encoding, option.spatial, option.temporal, paused)
