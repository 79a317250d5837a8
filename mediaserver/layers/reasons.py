"""Why a viewer gets what they get, for machines and for the words on the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mediaserver.layers.granting import Claim
from mediaserver.layers.terms import Choice, Demand, Forward, Link, Reason, Step, Still

_UNHURT = frozenset(
    {
        Reason.FULL,
        Reason.SHOWN_SMALL,
        Reason.LIMITED,
        Reason.HIDDEN,
        Reason.MUTED,
        Reason.PUBLISHER,
        Reason.NO_SIGNAL,
    }
)


@dataclass(frozen=True, slots=True)
class Situation:
    """The link at the moment of a decision."""

    link: Link
    silent: bool
    """For so long that it must be said."""
    for_pictures: float
    """What the link carries beside the sound."""


def reason(
    demand: Demand, claim: Claim, granted: int, situation: Situation, *, settling: bool, wanted: int | None
) -> Reason:
    """Why ``granted`` (an index of the claim's rungs, -1 for nothing) and not more.

    ``wanted``: the encoding that would be taken if every dormant one flowed.
    """
    source = _of_the_source(demand)
    if source is not None:
        return source
    if situation.silent:
        return Reason.SILENT
    if granted == len(claim.rungs) - 1:
        return _at_the_top(demand, claim, wanted)
    if settling:
        return Reason.SETTLING
    if situation.link.phase == "start":
        return Reason.MEASURING
    alone = claim.rungs[granted + 1].rate <= situation.for_pictures
    return Reason.PRIORITY if alone and not claim.audio else Reason.LINK


def _of_the_source(demand: Demand) -> Reason | None:
    if demand.hidden:
        return Reason.HIDDEN
    if demand.muted:
        return Reason.MUTED
    return None if any(encoding.flows for encoding in demand.encodings) else Reason.NO_SIGNAL


def _at_the_top(demand: Demand, claim: Claim, wanted: int | None) -> Reason:
    top = len(demand.encodings) - 1
    best = top if demand.cap is None else min(demand.cap, top)
    held = claim.rungs[-1].sending.option.encoding if claim.rungs else 0
    above = demand.encodings[held + 1 : best + 1]
    left_out = any(encoding.dormant for encoding in above) and not any(one.flows for one in above)
    if left_out and wanted is not None and wanted <= held:
        # It does not come because this link could not carry it.
        return Reason.LINK
    if any(encoding.flows or encoding.dormant for encoding in demand.encodings[best:]):
        if best == top:
            return Reason.FULL
        return Reason.LIMITED if demand.limited else Reason.SHOWN_SMALL
    return Reason.PUBLISHER


def step(
    demands: Sequence[Demand], choices: Mapping[int, Choice], chosen: int | None, situation: Situation
) -> Step:
    """Where the viewer stands on the survival ladder."""
    if situation.silent:
        return Step.SILENT
    pictures = [choices[demand.key] for demand in demands if demand.kind == "video"]
    hurt = [choice for choice in pictures if choice.reason not in _UNHURT]
    if not hurt:
        return Step.FULL
    shown = choices[chosen].sending if chosen is not None else None
    if isinstance(shown, Forward):
        return Step.REDUCED
    if isinstance(shown, Still):
        return Step.STILLS
    sent = [choice for choice in pictures if isinstance(choice.sending, Forward | Still) and choice.rate > 0]
    return Step.REDUCED if sent else Step.SOUND
