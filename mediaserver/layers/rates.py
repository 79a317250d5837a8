"""What each layer takes: measured, smoothed, and a usual figure until it is measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mediaserver.events import SourceType
from mediaserver.layers.terms import Demand, Encoding

SETTLED_SECONDS = 2.0
"""So long a layer must have flowed: its meter averages over a second and is read once a second."""
SMOOTHING_SECONDS = 2.0
"""An encoder's rate varies from second to second by some 5 %; layers are not chosen by that."""
JUMP = 1.25
"""A rate that rose by more is another rate, not variation."""
SPEECH = 50_000.0
"""Opus of 24 kbit/s in packets of 20 ms, with all headers."""
HEADERS = 1.08
"""What RTP, SRTP, UDP and IP add to a picture's rate."""

_CAMERA = (150_000.0, 500_000.0, 1_700_000.0)
_OF_SOURCE: dict[SourceType, tuple[float, float, float]] = {
    "monitor": (50_000.0, 150_000.0, 500_000.0),
    "room": (60_000.0, 120_000.0, 300_000.0),
    "ultrasound": (220_000.0, 740_000.0, 2_500_000.0),
    "other": (130_000.0, 440_000.0, 1_500_000.0),
}
"""Small, middle and large picture; what the publish profiles of the pages ask of encoders."""
_TEMPORAL_SHARES: dict[int, tuple[float, ...]] = {
    1: (1.0,),
    2: (0.6, 1.0),
    3: (0.4, 0.6, 1.0),
    4: (0.25, 0.4, 0.6, 1.0),
}

Matrix = tuple[tuple[float, ...], ...]


def is_settled(flows_since: float | None, now: float) -> bool:
    """Whether a layer has flowed long enough for its meter to be trusted; ``None``: it does not flow."""
    return flows_since is not None and now - flows_since >= SETTLED_SECONDS


@dataclass(frozen=True, slots=True)
class Rates:
    """Smoothed rates of one subscription's encodings: by encoding, spatial and temporal layer, cumulative."""

    at: float
    values: tuple[Matrix, ...]


def usual(demand: Demand, encoding: int) -> float:
    """What this encoding takes when its encoder is not restrained."""
    potential = demand.encodings[encoding].potential
    if potential is not None:
        return float(potential)
    if demand.kind == "audio":
        return SPEECH
    return nominal(demand.source_type, len(demand.encodings), encoding)


def nominal(source_type: SourceType, count: int, encoding: int) -> float:
    """What one of ``count`` encodings of a picture takes by its publish profile."""
    sizes = _OF_SOURCE.get(source_type, _CAMERA)
    below_top = count - 1 - encoding
    return sizes[max(len(sizes) - 1 - below_top, 0)] * HEADERS


def smooth(before: Rates | None, demand: Demand, now: float) -> Rates:
    """The rates after another look at the meters."""
    if before is None or len(before.values) != len(demand.encodings):
        return Rates(now, tuple(_read(encoding) for encoding in demand.encodings))
    share = 1.0 - math.exp(-max(now - before.at, 0.0) / SMOOTHING_SECONDS)
    pairs = zip(before.values, demand.encodings, strict=True)
    return Rates(now, tuple(_approach(old, encoding, share) for old, encoding in pairs))


def _read(encoding: Encoding) -> Matrix:
    return tuple(tuple(row[: _depth(row)]) for row in encoding.rates if row and row[-1] > 0)


def _depth(row: tuple[float, ...]) -> int:
    """Temporal layers that add something."""
    depth = len(row)
    while depth > 1 and row[depth - 2] >= row[-1]:
        depth -= 1
    return depth


def _approach(old: Matrix, encoding: Encoding, share: float) -> Matrix:
    new = _read(encoding)
    if not new:
        # It keeps the rates it had, for when it comes back.
        return old
    same_shape = len(new) == len(old) and all(len(a) == len(b) for a, b in zip(new, old, strict=True))
    if not same_shape or new[-1][-1] > old[-1][-1] * JUMP:
        return new
    return tuple(
        tuple(a + share * (b - a) for a, b in zip(old_row, new_row, strict=True))
        for old_row, new_row in zip(old, new, strict=True)
    )


def figures(rates: Rates, demand: Demand, index: int) -> Matrix:
    """The rates to count with: as measured where that can be trusted, else at least the usual ones."""
    values, encoding = rates.values[index], demand.encodings[index]
    if values and encoding.flows and encoding.settled:
        return values
    guess = usual(demand, index)
    if not values:
        return ((guess,),)
    shares = _TEMPORAL_SHARES[len(values[-1])]
    top = tuple(max(rate, guess * part) for rate, part in zip(values[-1], shares, strict=True))
    return (*values[:-1], top)
