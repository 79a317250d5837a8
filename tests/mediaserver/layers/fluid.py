"""A link as a fluid: an estimate that follows its capacity late, and the queue that choices make.

No packets and no estimator of ours: what is tested over it is the choosing alone (the whole is measured over
the emulator by ``benchmarks``). Time goes in steps of 50 ms.
"""

from __future__ import annotations

import csv
import math
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mediaserver.layers import Demand, Encoding, Forward, Link, State, decide
from tests.mediaserver.layers.viewing import ALL, LADDER, SPEECH, picture, voice

STEP = 0.05
SHARED = Path(os.environ.get("LOUPE_SHARED", Path(__file__).parents[4] / "shared"))
USED = 0.95
"""Of a capacity the estimator uses so much."""
VARIATION = 0.04
"""Of an encoder's rate from second to second."""


@dataclass
class Outcome:
    """What a viewer got; switches are (time, rate before, rate after)."""

    carried: float = 0.0
    possible: float = 0.0
    switches: list[tuple[float, float, float]] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)

    @property
    def utilisation(self) -> float:
        """Of what the link could carry of the best there is."""
        return self.carried / self.possible

    def ups(self) -> list[float]:
        """When more was sent."""
        return [at for at, before, after in self.switches if after > before]

    def false_ups(self) -> int:
        """Up-switches taken back within 5 s."""
        downs = [at for at, before, after in self.switches if after < before]
        return sum(any(up < down <= up + 5 for down in downs) for up in self.ups())

    def delay(self, share: float) -> float:
        """This quantile of the queue's delay, seconds."""
        return sorted(self.delays)[int(share * (len(self.delays) - 1))]

    def when(self, rate: float, since: float) -> float:
        """The first moment from ``since`` on at which this much was sent."""
        return next(i * STEP for i, sent in enumerate(self.rates) if i * STEP >= since and sent >= rate)


class Volatility:
    """As the data plane measures it."""

    def __init__(self) -> None:
        self._mean: float | None = None
        self._variance = 0.0

    def note(self, estimate: float) -> float:
        """The standard deviation after one more estimate."""
        level = math.log(estimate)
        if self._mean is None:
            self._mean = level
        share = 1 - math.exp(-STEP / 15)
        difference = level - self._mean
        self._mean += share * difference
        self._variance = (1 - share) * (self._variance + share * difference**2)
        return math.sqrt(self._variance)


def follow(
    capacity: Sequence[float],
    *,
    round_trip: float = 0.1,
    queue_bytes: float = 75_000,
    noise: float = 0.0,
    seed: int = 1,
) -> Outcome:
    """One viewer with a voice and the standard session's camera on a link of this capacity."""
    chance, volatility, outcome = random.Random(seed), Volatility(), Outcome()
    state, estimate, queue, draining, before = State(), 180e3, 0.0, False, -1.0
    lag, window = int(round_trip / STEP), 4
    for index, carries in enumerate(capacity):
        seen = capacity[max(0, index - lag - window + 1) : max(1, index - lag + 1)]
        target = max(USED * sum(seen) / len(seen), 30e3)
        estimate = min(target, estimate * 1.25)
        told = estimate * (1 + chance.uniform(-noise, noise))
        soon = capacity[index : index + 10]
        delay = queue / max(sum(soon) / len(soon), 20e3)
        draining = delay > 0.15 or (draining and delay > 0.03)
        link = Link(int(told), "drain" if draining else "steady", delay, volatility=volatility.note(told))
        decision = decide(index * STEP, link, _demands(chance), state)
        state = decision.state
        choice = decision.choices[2]
        sending = SPEECH + choice.rate
        if draining and isinstance(choice.sending, Forward):
            # As in the plane: pictures leave when what is on its way has drained.
            sending = SPEECH
        rate = _nominal(choice.sending)
        if rate != before and index:
            outcome.switches.append((index * STEP, before, rate))
        before = rate
        out = min(queue + sending * STEP, carries * STEP)
        queue = min(queue + sending * STEP - out, queue_bytes * 8)
        outcome.carried += out
        outcome.possible += min(carries, ALL) * STEP
        outcome.delays.append(delay)
        outcome.rates.append(rate)
    return outcome


def _demands(chance: random.Random) -> list[Demand]:
    varied = [chance.gauss(1, VARIATION) for _ in LADDER]
    rows = [tuple(rate * factor for rate in row) for row, factor in zip(LADDER, varied, strict=True)]
    return [
        voice(),
        Demand(2, "video", "endoscope", tuple(Encoding((row,)) for row in rows), cap=picture().cap),
    ]


def _nominal(sending: object) -> float:
    if not isinstance(sending, Forward):
        return 0.0
    row = LADDER[sending.option.encoding]
    return row[-1 if sending.option.temporal is None else sending.option.temporal]


def steps(*pieces: tuple[float, float]) -> list[float]:
    """Capacities that hold for so many seconds each."""
    return [capacity for seconds, capacity in pieces for _ in range(int(seconds / STEP))]


def trace(name: str, start: float, seconds: float = 120.0) -> list[float]:
    """A window of a recorded link; skips the test when the recordings are not there."""
    path = SHARED / "traces" / name
    if not path.exists():
        pytest.skip(f"no traces at {path.parent}: set LOUPE_SHARED")
    if path.suffix == ".csv":
        rows = [(float(t) / 1000, float(rate) * 1000) for t, rate in list(csv.reader(path.open()))[1:]]
        times = [start + index * STEP for index in range(int(seconds / STEP))]
        return [[rate for at, rate in rows if at <= time][-1] for time in times]
    chances = [int(line) / 1000 - start for line in path.read_text().split()]
    capacity = [0.0] * int(seconds / STEP)
    for chance in chances:
        if 0 <= chance < seconds:
            capacity[int(chance / STEP)] += 1500 * 8 / STEP
    return capacity
