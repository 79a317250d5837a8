"""The decision for one participant: what is sent of each subscription, why, and when to ask again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mediaserver.layers import granting, proof, sway
from mediaserver.layers.granting import Budget, Claim, Division
from mediaserver.layers.offers import OnOffer, on_offer
from mediaserver.layers.proof import History, Memory
from mediaserver.layers.reasons import Situation, reason, step
from mediaserver.layers.rungs import Rung, rank
from mediaserver.layers.sway import Sway
from mediaserver.layers.terms import Choice, Demand, Forward, Link, Pause, Step, Still

START_ESTIMATE = 180_000.0
"""Counted with before the first word about a link: sound and the lowest layer fit."""
START_EXCESS = 1.2
"""So far the first picture may exceed the estimate while the link is first measured: it shows at once."""
CALM_EXCESS = 1.05
"""So far what is sent may exceed the estimate while nothing waits or is lost: a rate is an average."""
DIP_EXCESS = 1.12
DIP_SECONDS = 1.0
"""So far, and for so long, while the estimate dips and nothing waits or is lost: noise of the measurement."""
REPORTED_EXCESS = 1.15
"""The same where the estimate is the viewer's own: the plane sends no more than 1.2 times as much."""
MOVES_ON = 300_000.0
MOVES_ON_SECONDS = 5.0
"""With so much in all, and for so long, the lowest moving rung of the chosen picture outlasts an estimate
that has no room for it: the plane holds back what would not leave in time, most dips are over sooner, and
what stands for longer is a pause."""
CALM_QUEUE_SECONDS = 0.03
CALM_REPORTED_SECONDS = 0.12
"""The same where a queue is only guessed from round trips: a viewer's own slowness is in them."""
CALM_LOSS = 0.01
LATE_REPAIR_SECONDS = 0.4
"""What is asked for again on a longer path comes after its moment: there only parity helps."""
PARITY_LOSS = 0.003
"""Of a path that loses less nothing is given up for it."""
PARITY_SHARE = 0.15
PARITY_SHARE_AT_MOST = 0.2
PARITY_ROOM = 0.95
"""What the plane gives parity: the first and the share lost, of what is sent, in so much of the estimate."""
WANT_MARGIN = 1.05
"""Beyond what everything would take: an up-switch must find its proof."""
SILENT_SECONDS = 1.0
"""Of silence before it is called so: shorter ones are over before anybody could read it."""
TRIAL_SECONDS = 3.0
"""For which a rung taken on trial stands, unless the link complains."""
TRIAL_SPACING_SECONDS = 2.0
"""Between two trials at least; one of what failed waits for longer."""
FALLEN = 0.75
"""An estimate of which less than this is left speaks against what was tried."""
ASK_AGAIN_SECONDS = 1.0
NEVER = -math.inf
_SOONEST_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class State:
    """What one decision leaves for the next."""

    offers: Mapping[int, OnOffer] = field(default_factory=dict)
    held: Mapping[int, Forward | Still] = field(default_factory=dict)
    history: History = ()
    peaks: History = ()
    """The same of the negated estimates."""
    sway: Sway | None = None
    memory: Memory = field(default_factory=Memory)
    began: float | None = None
    silent_since: float | None = None
    trial_until: float = NEVER


@dataclass(frozen=True, slots=True)
class Decision:
    """What one participant is sent from now on."""

    choices: Mapping[int, Choice]
    want: int
    """Up to this rate more would be useful."""
    ask_again_at: float
    """At this moment at the latest the outcome may be another, though nothing changes; ``inf``: never."""
    step: Step
    state: State


def decide(now: float, link: Link, demands: Sequence[Demand], state: State) -> Decision:
    """Decides; pure. ``now`` never goes back between calls that share a state."""
    began = now if state.began is None else state.began
    silent_since = (
        (now if state.silent_since is None else state.silent_since) if link.phase == "silent" else None
    )
    history, peaks, swayed = state.history, state.peaks, state.sway
    if link.estimate is not None and silent_since is None:
        history = proof.note(history, now, float(link.estimate))
        peaks = proof.note(peaks, now, -float(link.estimate))
        swayed = sway.note(swayed, now, float(link.estimate))
        link = replace(link, volatility=min(link.volatility, swayed.volatility()))
    chosen = _chosen(demands)
    offers = {d.key: on_offer(state.offers.get(d.key), d, now, chosen=d.key == chosen) for d in demands}
    claims = [_claim(d, offers[d.key].rungs, state.held.get(d.key), chosen) for d in demands]
    if silent_since is not None:
        # Nothing can be learnt. The plane sends sound alone; what was sent comes back with the viewer.
        division = _as_before(claims)
        memory, trial_until = state.memory, state.trial_until
    else:
        if not is_calm(link) or _has_fallen(now, link, peaks):
            # What is calm again afterwards is so without what was tried.
            state = replace(state, trial_until=min(state.trial_until, now))
        budget = _budget(now, link, claims, replace(state, history=history, peaks=peaks, began=began))
        division = granting.divide(claims, budget)
        memory = _remember(now, link, claims, division, budget)
        trial_until = now + TRIAL_SECONDS if division.tried is not None else state.trial_until
    held = {
        demand.key: claim.rungs[rung].sending
        for demand, claim, rung in zip(demands, claims, division.granted, strict=True)
        if rung >= 0
    }
    sound = sum(
        claim.rungs[rung].rate
        for claim, rung in zip(claims, division.granted, strict=True)
        if claim.audio and rung >= 0
    )
    situation = Situation(
        link=link,
        silent=silent_since is not None and now - silent_since >= SILENT_SECONDS,
        for_pictures=max(0.0, (link.estimate or 0) * _usable(link) - sound),
    )
    choices = _choices(demands, claims, division, offers, situation)
    return Decision(
        choices=choices,
        want=int(sum(offer.most for offer in offers.values()) * WANT_MARGIN / _usable(link)),
        ask_again_at=_next(now, division, trial_until, silent_since),
        step=step(demands, choices, chosen, situation),
        state=State(offers, held, history, peaks, swayed, memory, began, silent_since, trial_until),
    )


# ---- Before the division ----


def _chosen(demands: Sequence[Demand]) -> int | None:
    """The most important picture that could be sent."""
    pictures = [d for d in demands if d.kind == "video" and not d.hidden and not d.muted]
    return min(pictures, key=rank).key if pictures else None


def _claim(demand: Demand, rungs: Sequence[Rung], held: Forward | Still | None, chosen: int | None) -> Claim:
    return Claim(
        rungs=rungs,
        current=_current(rungs, held),
        rank=rank(demand),
        audio=demand.kind == "audio",
        chosen=demand.key == chosen,
    )


def _current(rungs: Sequence[Rung], held: Forward | Still | None) -> int:
    """The rung that is held now; when it is gone the best of those below it."""
    if held is None:
        return -1
    found = -1
    for index, rung in enumerate(rungs):
        if rung.sending == held:
            return index
        if _below(rung.sending, held):
            found = index
    return found


def _below(sending: Forward | Still, held: Forward | Still) -> bool:
    """Whether this surely is no more than what was held."""
    match sending, held:
        case Still(interval_seconds=interval), Still(interval_seconds=other):
            return interval >= other
        case Still(), Forward():
            return True
        case Forward(), Forward():
            return sending.option.encoding <= held.option.encoding
        case _:
            return False


def _usable(link: Link) -> float:
    """Part of the estimate that media may take: the rest repairs what gets lost."""
    loss = min(link.inherent_loss, 0.5)
    usable = min(1.0 - loss, 1.0 / (1.0 + max(link.repair_overhead, 0.0)))
    is_late = (link.round_trip_seconds or 0.0) > LATE_REPAIR_SECONDS
    if is_late and loss >= PARITY_LOSS:
        share = min(PARITY_SHARE + loss, PARITY_SHARE_AT_MOST)
        usable = min(usable, PARITY_ROOM / (1.0 + share))
    return usable


def is_calm(link: Link) -> bool:
    """Whether nothing waits and nothing is lost beyond the usual."""
    queue = CALM_QUEUE_SECONDS if link.probed else CALM_REPORTED_SECONDS
    calm = link.queue_delay_seconds <= queue and link.congestion_loss <= CALM_LOSS
    return calm and link.phase != "drain"


def _budget(now: float, link: Link, claims: Sequence[Claim], state: State) -> Budget:
    """``state`` with the newest estimate noted."""
    usable, calm = _usable(link), is_calm(link)
    carried = sum(claim.rungs[claim.current].rate for claim in claims if claim.current >= 0)
    estimate = START_ESTIMATE if link.estimate is None else float(link.estimate)
    keep = estimate * usable
    if calm:
        dip = min(estimate * DIP_EXCESS, proof.greatest(state.peaks, now - DIP_SECONDS))
        keep = max(estimate * CALM_EXCESS, dip) * usable
    free = min(keep, carried)
    unpaced = link.estimate is None or (not link.probed and link.phase == "start")
    if calm and (now < state.trial_until or unpaced):
        # On trial; or nothing speaks against it yet, and the plane holds nothing back.
        keep = math.inf
    elif calm and not link.probed:
        # The estimate is the viewer's own, which follows what is sent and wavers.
        keep = max(keep, estimate * REPORTED_EXCESS * usable)
    return Budget(
        keep=keep,
        keep_moving=max(keep, min(proof.greatest(state.peaks, now - MOVES_ON_SECONDS) * usable, MOVES_ON)),
        carried=carried,
        free=free,
        start=estimate * START_EXCESS * usable if link.phase == "start" else 0.0,
        usable=usable,
        history=state.history or proof.note((), now, START_ESTIMATE),
        memory=state.memory,
        link=link,
        now=now,
        trial=calm and carried <= keep and _trial_due(now, link, state),
    )


def _has_fallen(now: float, link: Link, peaks: History) -> bool:
    before = proof.greatest(peaks, now - TRIAL_SECONDS)
    return not link.probed and (link.estimate or math.inf) < before * FALLEN


def _trial_due(now: float, link: Link, state: State) -> bool:
    """Whether more must be tried because the plane cannot find out by itself that the link carries it.

    A picture without a lower layer is tried at once: the plane probes with what it has sent.
    """
    if state.trial_until == NEVER and (link.estimate is None or link.phase == "start"):
        return True
    if link.probed and link.estimate is not None:
        return False
    began = now if state.began is None else state.began
    failed = state.memory.failure.at if state.memory.failure is not None else began
    return now - max(state.trial_until, began, failed) >= TRIAL_SPACING_SECONDS


# ---- After the division ----


def _as_before(claims: Sequence[Claim]) -> Division:
    held = [0 if claim.audio and claim.rungs else claim.current for claim in claims]
    return Division(held, [False] * len(claims))


def _remember(now: float, link: Link, claims: Sequence[Claim], division: Division, budget: Budget) -> Memory:
    pairs = list(zip(claims, division.granted, strict=True))
    rose = any(rung > claim.current for claim, rung in pairs) and division.spent > budget.carried * 1.02
    fell = any(rung < claim.current for claim, rung in pairs) and division.spent < budget.carried
    return proof.judge(budget.memory, link, now, rose_to=division.spent if rose else None, fell=fell)


def _choices(
    demands: Sequence[Demand],
    claims: Sequence[Claim],
    division: Division,
    offers: Mapping[int, OnOffer],
    situation: Situation,
) -> dict[int, Choice]:
    link = situation.link
    left = max(0.0, (link.estimate or 0) * _usable(link) - division.spent)
    choices = {}
    for index, (demand, claim) in enumerate(zip(demands, claims, strict=True)):
        granted = division.granted[index]
        rung = claim.rungs[granted] if granted >= 0 else None
        sending = Pause() if rung is None else rung.sending
        rate = 0.0 if rung is None else rung.rate
        wanted = _wanted(offers[demand.key].asked, rate + left)
        settling = division.settling[index]
        why = reason(demand, claim, granted, situation, settling=settling, wanted=wanted)
        choices[demand.key] = Choice(sending, why, rate, rate + left, wanted)
    return choices


def _wanted(asked: Sequence[Rung], share: float) -> int | None:
    """The encoding that would be taken if every dormant one flowed."""
    best = None
    for rung in asked:
        if best is None or rung.rate <= share:
            best = rung
    return None if best is None else best.sending.option.encoding


def _next(now: float, division: Division, trial_until: float, silent_since: float | None) -> float:
    if silent_since is not None:
        # Time teaches nothing of a silent path: it stays so until the plane hears of it.
        called = silent_since + SILENT_SECONDS
        return called if called > now else math.inf
    moments = [now + ASK_AGAIN_SECONDS]
    if division.proven < now + ASK_AGAIN_SECONDS:
        moments.append(max(division.proven, now + _SOONEST_SECONDS))
    return min(*moments, trial_until) if trial_until > now else min(moments)
