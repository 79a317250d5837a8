"""How long a link must have carried more before more is sent: the hysteresis of up-switches.

Down-switches need no proof. An up-switch needs the estimate to have stood above what it takes, without a
break, for a time that depends on how restless the link is, and on how the last attempt at as much ended.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

from mediaserver.layers.terms import Link

REVERT_SECONDS = 5.0
"""An up-switch that the link takes back within this was false."""
START_HOLD = 0.2
"""While the link is first measured its estimate only grows."""
LEAST_HOLD = 0.1
GREATEST_HOLD = 0.3
HOLD_PER_VOLATILITY = 0.4
FAILED_HOLD = 5.0
"""After the first false up-switch; doubled by each further one."""
LONGEST_HOLD = 60.0
FAILED_BLIND_HOLD = 15.0
"""The same where only trials tell what a link carries: each overloads it for seconds."""
MAX_FAILURES = 8
SAME_TOTAL = 0.95
"""A total this near to one that failed is the same attempt."""
ANOTHER_LINK = 1.2
"""An estimate of so many times what failed is that of another link, of which the failure says nothing. The
plane looks for no more than 1.25 times what would be of use: more is never seen of the highest layer."""
FORGIVEN_SECONDS = 60.0
"""One failure less is counted for each such time without another."""
_RESTLESS = 0.013
_MAX_PIECES = 48

History: TypeAlias = tuple[tuple[float, float], ...]
"""(until when, estimate), values growing: all that is needed to tell the least estimate since any moment."""


def note(history: History, now: float, estimate: float) -> History:
    """The history with one more estimate."""
    if not history:
        return ((math.inf, estimate),)
    if history[-1][1] == estimate:
        return history
    kept = [*history[:-1], (now, history[-1][1])]
    while kept and kept[-1][1] >= estimate:
        kept.pop()
    return (*kept[-_MAX_PIECES + 1 :], (math.inf, estimate))


def least(history: History, since: float) -> float:
    """The least estimate from ``since`` to now; 0 without any."""
    return next((estimate for until, estimate in history if until > since), 0.0)


def greatest(peaks: History, since: float) -> float:
    """The greatest, of a history of negated estimates."""
    return -least(peaks, since)


def proven_at(history: History, needed: float, hold: float) -> float:
    """When the estimate will have stood at ``needed`` for ``hold`` seconds if it stays as it is now."""
    if not history or history[-1][1] < needed:
        return math.inf
    return max((until for until, estimate in history if estimate < needed), default=-math.inf) + hold


@dataclass(frozen=True, slots=True)
class Failure:
    """An up-switch to ``total`` was taken back, so often in a row, last at this time."""

    total: float
    count: int
    at: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """The last up-switch: to which total, when, and how long it must last not to be called false."""

    total: float
    at: float
    lasts: float = REVERT_SECONDS


@dataclass(frozen=True, slots=True)
class Memory:
    """How up-switches of one viewer ended."""

    attempt: Attempt | None = None
    failure: Failure | None = None


def hold(link: Link) -> float:
    """How long more must have been possible, when nothing speaks against it."""
    if link.phase == "start":
        return START_HOLD
    return min(max(link.volatility * HOLD_PER_VOLATILITY, LEAST_HOLD), GREATEST_HOLD)


def hold_after(failure: Failure, link: Link, now: float) -> float:
    """The same for as much as failed before: doubled by each failure, less where the link is never still.

    On a restless link a failure says little about the next minute, and waiting costs much.
    """
    count = failure.count - int((now - failure.at) / FORGIVEN_SECONDS)
    if count <= 0:
        return hold(link)
    if not link.probed:
        return min(FAILED_BLIND_HOLD * 2.0 ** (count - 1), LONGEST_HOLD)
    bound = min(LONGEST_HOLD, max(_RESTLESS / max(link.volatility, 1e-3) ** 3, hold(link)))
    return min(FAILED_HOLD * 2.0 ** (count - 1), bound)


def failed_from(failure: Failure | None, link: Link) -> float:
    """The least total of which a failure says how it would end now."""
    if failure is None or (link.estimate or 0) >= failure.total * ANOTHER_LINK:
        return math.inf
    return failure.total * SAME_TOTAL


def hold_for(total: float, memory: Memory, link: Link, now: float) -> float:
    """How long the estimate must have carried ``total`` before it is sent."""
    failure = memory.failure
    if failure is None or total < failed_from(failure, link):
        return hold(link)
    return hold_after(failure, link, now)


def judge(memory: Memory, link: Link, now: float, *, rose_to: float | None, fell: bool) -> Memory:
    """What is remembered after a decision that rose to a total, or fell for want of capacity, or neither."""
    attempt, failure = memory.attempt, memory.failure
    if attempt is not None:
        again = failure is not None and attempt.total >= failure.total * SAME_TOTAL
        if fell and now - attempt.at <= attempt.lasts:
            count = failure.count if failure is not None and again else 0
            failure, attempt = Failure(attempt.total, min(count, MAX_FAILURES) + 1, now), None
        elif now - attempt.at > attempt.lasts:
            if failure is not None and again:
                failure = (
                    Failure(failure.total, failure.count // 2, failure.at) if failure.count > 1 else None
                )
            attempt = None
    if rose_to is not None:
        # What was waited for long must last as long: else chance would be taken for proof.
        lasts = max(REVERT_SECONDS, hold_for(rose_to, memory, link, now))
        attempt = Attempt(rose_to, now, lasts)
    return Memory(attempt, failure)
