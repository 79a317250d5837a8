"""Divides what a link carries among a viewer's subscriptions: rung by rung, in the order of importance.

Sound comes first, and no picture while a voice waits. Then stills, then small pictures, then faces, then
medium and large pictures, and better faces last: every size comes to all, the more important first, before
the next size comes to any. What does not fit is left out, and what comes after it may still fit: so more
capacity never takes from what comes earlier in this order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from mediaserver.layers.proof import (
    LONGEST_HOLD,
    History,
    Memory,
    failed_from,
    hold,
    hold_after,
    least,
    proven_at,
)
from mediaserver.layers.rungs import Place, Rung
from mediaserver.layers.terms import Forward, Link, Still

TRIAL_AT_MOST = 2.4
"""So many times the estimate a trial takes for a minute after one failed: what is not used of it does not
grow, and the next rung is often three times the one that is held."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One subscription as the division sees it; ``current``: the rung held now, -1 for nothing."""

    rungs: Sequence[Rung]
    current: int
    rank: int
    audio: bool
    chosen: bool = False
    """The most important picture."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent, in bits per second of media (repair and protection are taken off already)."""

    keep: float
    """On what is sent already."""
    keep_moving: float
    """The same for the lowest moving rung of the chosen picture and for stills of it."""
    carried: float
    """What is sent now."""
    free: float
    """Of that, as much needs no proof, however it is divided: all but what is on trial."""
    start: float
    """On the lowest rung of the first picture while the link is first measured."""
    usable: float
    """Part of the estimate that is left for media."""
    history: History
    memory: Memory
    link: Link
    now: float
    trial: bool = False
    """Whether one rung may be taken without proof, because nothing else could prove it."""


@dataclass(slots=True)
class Division:
    """The outcome: the rung of each claim (-1: nothing), and what stands against more."""

    granted: list[int]
    settling: list[bool]
    """Whether only proof is wanting for the next rung."""
    tried: int | None = None
    """The claim that got a rung on trial."""
    spent: float = 0.0
    proven: float = math.inf
    """When the first wanting proof will be complete, if the estimate stays as it is."""
    order: list[int] = field(default_factory=list)


def divide(claims: Sequence[Claim], budget: Budget) -> Division:
    """Grants rungs; pure and total."""
    division = Division([-1] * len(claims), [False] * len(claims))
    ready = _Ready(budget)
    blocked = [False] * len(claims)
    claimed = 0.0
    for index, rung_index in _sequence(claims):
        if blocked[index]:
            continue
        claim = claims[index]
        sound, held = claim.audio, division.granted[index]
        more = claim.rungs[rung_index].rate - (claim.rungs[held].rate if held >= 0 else 0.0)
        first_sound = sound and not division.order
        total = division.spent + more
        verdict = _verdict(claim, rung_index, total, claimed + more, ready)
        if first_sound or verdict == "yes" or _tries(division, budget, claim, index, rung_index, total):
            division.spent = total
            claimed += more
            division.granted[index] = rung_index
            division.order.append(index)
            continue
        # A trial passes by a still that does not fit: it is the moving picture that is to be tried.
        blocked[index] = not (budget.trial and isinstance(claim.rungs[rung_index].sending, Still))
        if sound:
            # No picture while somebody cannot be heard for want of bits.
            blocked = [True] * len(claims)
        if verdict == "unproven":
            claimed += more
            division.settling[index] = True
            division.proven = min(division.proven, ready.moment(claimed))
    return division


def _sequence(claims: Sequence[Claim]) -> Sequence[tuple[int, int]]:
    """(claim, rung) in the order of granting."""
    return _in_order(tuple((claim.rank, tuple(rung.place for rung in claim.rungs)) for claim in claims))


@lru_cache(maxsize=1_024)
def _in_order(shapes: tuple[tuple[int, tuple[Place, ...]], ...]) -> Sequence[tuple[int, int]]:
    # The same for as long as a room stays as it is, and asked for several times a second.
    places = sorted(
        (place, rank, index, rung)
        for index, (rank, rungs) in enumerate(shapes)
        for rung, place in enumerate(rungs)
    )
    return tuple((index, rung) for _, _, index, rung in places)


def _tries(division: Division, budget: Budget, claim: Claim, index: int, rung: int, total: float) -> bool:
    moves = isinstance(claim.rungs[rung].sending, Forward)
    if not budget.trial or division.tried is not None or claim.audio or not moves:
        return False
    unknown = budget.link.estimate is None or (budget.link.phase == "start" and budget.link.probed)
    if unknown and not (claim.chosen and _is_lowest(claim, rung)):
        # The plane probes for all but what must be sent before anything can be learnt.
        return False
    if _failed_lately(budget, total):
        return False
    division.tried = index
    return True


def _failed_lately(budget: Budget, total: float) -> bool:
    """Whether a trial of so much would end as one before did."""
    failure, link = budget.memory.failure, budget.link
    if failure is None:
        return False
    again = total >= failed_from(failure, link)
    if again and budget.now < failure.at + hold_after(failure, link, budget.now):
        return True
    is_far = link.estimate is not None and total > link.estimate * TRIAL_AT_MOST
    return is_far and budget.now < failure.at + LONGEST_HOLD


def _is_lowest(claim: Claim, rung: int) -> bool:
    return not any(isinstance(lower.sending, Forward) for lower in claim.rungs[:rung])


def _verdict(claim: Claim, rung: int, total: float, claimed: float, ready: _Ready) -> str:
    if rung <= claim.current:
        budget = ready.budget
        keep = budget.keep_moving if claim.chosen and _is_lowest(claim, rung) else budget.keep
        return "yes" if total <= keep else "no"
    if claimed <= ready.proven(claimed, sound=claim.audio):
        return "yes"
    if rung == 0 and claim.chosen and claimed <= ready.budget.start:
        return "yes"
    return "unproven" if claimed <= ready.now else "no"


class _Ready:
    """What may be spent on more than is sent, looked up once for each division."""

    __slots__ = ("_after_failure", "_failed_from", "_least", "_long", "_short", "budget", "now")

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self._short = hold(budget.link)
        failure = budget.memory.failure
        self._failed_from = failed_from(failure, budget.link)
        self._long = hold_after(failure, budget.link, budget.now) if failure is not None else self._short
        self.now = least(budget.history, budget.now) * budget.usable
        self._least = least(budget.history, budget.now - self._short) * budget.usable
        self._after_failure = least(budget.history, budget.now - self._long) * budget.usable

    def proven(self, total: float, *, sound: bool) -> float:
        """The greatest total that needs no further proof, as far as it concerns this one."""
        first = self.now if sound else self._least
        return max(self.budget.free, self._after_failure if self._fails(total) else first)

    def moment(self, total: float) -> float:
        """When this total will be proven."""
        needed = total / self.budget.usable
        return proven_at(self.budget.history, needed, self._long if self._fails(total) else self._short)

    def _fails(self, total: float) -> bool:
        return total >= self._failed_from
