"""What each subscription has on offer, remembered between decisions: meters need not be read at every one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from mediaserver.layers.rates import Rates, smooth
from mediaserver.layers.rungs import Rung, ladder, most
from mediaserver.layers.terms import Demand, Forward, Option

REFRESH_SECONDS = 0.5
"""Between looks at the meters."""

Signature: TypeAlias = tuple[object, ...]
NOTHING_TO_PAY = (Rung(Forward(Option(0)), 0.0, 0.0),)
"""What does not flow costs nothing, and when it comes it begins at its lowest."""


@dataclass(frozen=True, slots=True)
class OnOffer:
    """One subscription's ladder, and what it was made of."""

    signature: Signature
    rates: Rates
    rungs: tuple[Rung, ...]
    asked: tuple[Rung, ...]
    """The ladder if every dormant encoding flowed."""
    most: float
    """What the best would take if the link were no matter."""


def on_offer(before: OnOffer | None, demand: Demand, now: float, *, chosen: bool) -> OnOffer:
    """The ladder now; the one before as long as it holds."""
    signature = _signature(demand, chosen)
    if before is not None and before.signature == signature and now - before.rates.at < REFRESH_SECONDS:
        return before
    rates = smooth(before.rates if before is not None else None, demand, now)
    if demand.hidden:
        return OnOffer(signature, rates, (), (), 0.0)
    flows = any(encoding.flows for encoding in demand.encodings)
    if demand.muted:
        return OnOffer(signature, rates, NOTHING_TO_PAY, (), 0.0)
    rungs = tuple(ladder(demand, rates, chosen=chosen)) if flows else NOTHING_TO_PAY
    if demand.kind == "audio":
        return OnOffer(signature, rates, rungs[-1:], (), most(demand, rates))
    asked = rungs
    if any(encoding.dormant for encoding in demand.encodings):
        asked = tuple(ladder(demand, rates, chosen=chosen, dormant=True))
    return OnOffer(signature, rates, rungs, asked, most(demand, rates))


def _signature(demand: Demand, chosen: bool) -> Signature:
    flowing = [(encoding.flows, encoding.dormant, encoding.settled) for encoding in demand.encodings]
    flags = (demand.hidden, demand.muted, demand.pinned, demand.shared, demand.cap, chosen)
    return (demand.source_type, flags, *flowing)
