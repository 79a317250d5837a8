"""The publisher's ladder fitted to its viewers: what anybody needs, and how much of it is worth sending.

A fixed ladder alone wastes 4 to 27 % of the viewers' links (adaptation design, 2.2). With a few viewers the
encoder can be steered to what they take; with many the ladder stands, and only what nobody needs is left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mediaserver.layers.rates import HEADERS

FEW_VIEWERS = 5
"""The ladder is fitted to so many at most: with more somebody is always between two rungs."""
LEAVE_OUT_SECONDS = 10.0
"""An encoding is left out when nobody needed it for so long."""
RAISE_SECONDS = 3.0
LOWER_SECONDS = 1.0
"""Between two changes of a rate, up and down: an encoder needs its time to follow."""
NOTICEABLE = 0.15
"""Smaller changes of a rate are not told."""
USED = 0.92
"""Of what a viewer could take: encoders overshoot."""
LEAST_OF_LADDER, LEAST_ALONE = 0.4, 0.25
"""An encoding is not squeezed below this part of its own rate; one that stands alone may become slower."""
APART = 1.3
"""An encoding is worth sending if it takes so much more than the one below."""
PROTECTED = 0.75
"""The best-served viewer does not lose more than the rest of this to the others."""
_Q_RATE = 50_000.0


@dataclass(frozen=True, slots=True)
class Viewing:
    """One viewer of a publication: what they could give it, and the highest encoding of use to them."""

    share: float
    cap: int | None = None
    taken: int | None = None
    """What they are sent now: it is not left out under their eyes, whatever the figures say."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What the publisher should send, by encoding; ``rates`` are bits per second of the encoder's own output,
    ``None`` where nothing restrains it."""

    active: tuple[bool, ...]
    rates: tuple[int | None, ...]
    needed_at: tuple[float, ...] = ()
    """When somebody last needed each."""
    changed_at: float = -math.inf


def fit(now: float, potentials: Sequence[int], viewers: Sequence[Viewing], before: Fitted | None) -> Fitted:
    """What to ask of a publisher whose encodings take ``potentials`` at best, on the wire, lowest first."""
    count = len(potentials)
    wire = (
        _wire_rates(potentials, viewers) if 0 < len(viewers) <= FEW_VIEWERS else list(map(float, potentials))
    )
    needed = _needed(wire, viewers)
    seen = before.needed_at if before is not None else (now,) * count
    needed_at = tuple(now if need else at for need, at in zip(needed, seen, strict=True))
    active = tuple(index == 0 or now - at < LEAVE_OUT_SECONDS for index, at in enumerate(needed_at))
    rates = tuple(
        None if rate >= potential else int(rate / HEADERS)
        for rate, potential in zip(wire, potentials, strict=True)
    )
    if before is None:
        return Fitted(active, rates, needed_at, now)
    if not _worth_telling(now, rates, before, potentials):
        rates, changed_at = before.rates, before.changed_at
    else:
        changed_at = now
    return Fitted(active, rates, needed_at, changed_at)


def _wire_rates(potentials: Sequence[int], viewers: Sequence[Viewing]) -> list[float]:
    """The rate of each encoding: from the top down, the one at which its takers gain most together."""
    wire = [float(potential) for potential in potentials]
    takers = list(viewers)
    for index in reversed(range(len(wire))):
        least = max(
            wire[index] * (LEAST_OF_LADDER if len(wire) > 1 else LEAST_ALONE),
            wire[index - 1] * APART if index else 0.0,
        )
        usable = [v.share * USED for v in takers if v.cap is None or v.cap >= index]
        best = min(max(usable, default=wire[index]), wire[index])
        candidates = {wire[index]} | {
            rate for rate in usable if max(least, best * PROTECTED) <= rate < wire[index]
        }
        below = wire[index - 1] if index else 0.0
        rate = max(
            sorted(candidates, reverse=True), key=lambda rate: sum(_gain(u, rate, below) for u in usable)
        )
        wire[index] = rate
        takers = [v for v in takers if (v.cap is not None and v.cap < index) or v.share * USED < rate]
    return wire


def _gain(usable: float, rate: float, below: float) -> float:
    """What a viewer sees who could take ``usable``: this encoding, or the one below, or nothing."""
    taken = rate if rate <= usable else below if below <= usable else 0.0
    return math.log2(1.0 + taken / _Q_RATE)


def _needed(wire: Sequence[float], viewers: Sequence[Viewing]) -> list[bool]:
    needed = [False] * len(wire)
    for viewer in viewers:
        top = len(wire) - 1 if viewer.cap is None else min(viewer.cap, len(wire) - 1)
        fitting = [index for index in range(top + 1) if wire[index] <= viewer.share]
        needed[fitting[-1] if fitting else 0] = True
        if viewer.taken is not None and viewer.taken < len(wire):
            needed[viewer.taken] = True
    return needed


def _worth_telling(
    now: float, rates: Sequence[int | None], before: Fitted, potentials: Sequence[int]
) -> bool:
    changes = []
    for new, old, potential in zip(rates, before.rates, potentials, strict=True):
        whole = potential / HEADERS
        changes.append(((whole if new is None else new) / (whole if old is None else old)) - 1.0)
    lower = any(change < -NOTICEABLE for change in changes)
    higher = any(change > NOTICEABLE for change in changes)
    since = now - before.changed_at
    return (lower and since >= LOWER_SECONDS) or (higher and since >= RAISE_SECONDS)
