"""Stills carried out: one key frame in a while, by letting a subscription run from a key frame to its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

AWAIT_SECONDS = 3.0
"""A publisher that sends no key frame in this time will be asked at the next turn."""
SHORTEST_SECONDS = 0.1
"""A key frame takes so long at least to come from its encoder, however fast the link is."""


@dataclass(frozen=True, slots=True)
class Resting:
    """Nothing is sent until then."""

    until: float


@dataclass(frozen=True, slots=True)
class Awaiting:
    """A key frame has been asked for."""

    since: float


@dataclass(frozen=True, slots=True)
class Running:
    """A key frame is passing; what follows it is cut off then."""

    since: float
    until: float


Pulse: TypeAlias = Resting | Awaiting | Running


def begin(now: float) -> Pulse:
    """The first still is due at once."""
    return Awaiting(now)


def runs(pulse: Pulse) -> bool:
    """Whether the subscription forwards."""
    return not isinstance(pulse, Resting)


def advance(pulse: Pulse, now: float, interval_seconds: float) -> Pulse:
    """The pulse at this moment."""
    match pulse:
        case Resting(until) if now >= until:
            return Awaiting(now)
        case Awaiting(since) if now >= since + AWAIT_SECONDS:
            return Resting(now + interval_seconds)
        case Running(since, until) if now >= until:
            return Resting(max(since + interval_seconds, now))
        case _:
            return pulse


def forwarded(pulse: Pulse, now: float, sent_seconds: float) -> Pulse:
    """The key frame began to pass; ``sent_seconds`` is what the whole of it takes."""
    if isinstance(pulse, Awaiting):
        return Running(now, now + max(sent_seconds, SHORTEST_SECONDS))
    return pulse


def due(pulse: Pulse) -> float:
    """When ``advance`` has something to do."""
    match pulse:
        case Resting(until) | Running(_, until):
            return until
        case Awaiting(since):
            return since + AWAIT_SECONDS
