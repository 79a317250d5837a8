"""The plane's snapshot against the one before: counts as rates, sums as shares. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

Figures = Mapping[str, object]


class Snapshot(Protocol):
    """What is read of ``_dataplane.Stats``."""

    @property
    def workers(self) -> list[dict[str, object]]: ...
    @property
    def transports(self) -> Mapping[int, Figures]: ...
    @property
    def publications(self) -> Mapping[int, Figures]: ...
    @property
    def subscriptions(self) -> Mapping[int, Figures]: ...


def number(figures: Figures, name: str) -> float | None:
    """A figure that is a number; None where the plane does not know it (yet)."""
    value = figures.get(name)
    # The types one by one: their union would be made anew at each of thousands of calls a second.
    if isinstance(value, float):
        return value
    return float(value) if isinstance(value, int) else None


def count(figures: Figures, name: str) -> int:
    """A counter; 0 where the plane has none."""
    value = figures.get(name)
    return value if isinstance(value, int) else 0


class Change:
    """One thing's figures now and before; ``seconds`` lie between. Two a viewer are made every second."""

    __slots__ = ("before", "now", "seconds")

    def __init__(self, now: Figures, before: Figures, seconds: float) -> None:
        self.now = now
        self.before = before
        self.seconds = seconds

    def grown(self, name: str) -> int:
        """How much a counter grew; never less than 0."""
        before = self.before.get(name)
        if not isinstance(before, int):
            # What was not there before has not grown yet.
            return count(self.now, name) if self.before else 0
        return max(0, count(self.now, name) - before)

    def bits_per_second(self, name: str) -> int:
        """A counter of bytes as a rate."""
        return round(self.grown(name) * 8 / self.seconds)

    def losses(self) -> tuple[float | None, float | None]:
        """Shares of packets missing before and after repair (of a publication); None when none were due."""
        lost, repaired = self.grown("unrepaired"), self.grown("repaired")
        # Repaired packets are among those counted as come.
        due = self.grown("packets") + lost
        if due == 0:
            return None, None
        return min(1.0, (lost + repaired) / due), lost / due


_NOTHING: Figures = {}


@dataclass(slots=True)
class Difference:
    """Two snapshots. ``fresh`` is false when the workers have published nothing since the one before."""

    transports: Mapping[int, Figures]
    publications: Mapping[int, Figures]
    subscriptions: Mapping[int, Figures]
    workers: list[dict[str, object]]
    seconds: float
    before: Difference | None = field(repr=False)

    @property
    def fresh(self) -> bool:
        """A worker's processor time moves with every snapshot it publishes."""
        return self.before is None or busy(self.workers) != busy(self.before.workers)

    def transport(self, handle: int) -> Change:
        """Of one transport."""
        return _change(self.transports, self.before.transports if self.before else {}, handle, self.seconds)

    def publication(self, handle: int) -> Change:
        """Of one publication."""
        return _change(
            self.publications, self.before.publications if self.before else {}, handle, self.seconds
        )

    def subscription(self, handle: int) -> Change:
        """Of one subscription."""
        return _change(
            self.subscriptions, self.before.subscriptions if self.before else {}, handle, self.seconds
        )


def _change(now: Mapping[int, Figures], before: Mapping[int, Figures], handle: int, seconds: float) -> Change:
    return Change(now.get(handle, _NOTHING), before.get(handle, _NOTHING), seconds)


def busy(workers: list[dict[str, object]]) -> list[float]:
    """Seconds of processor time per worker."""
    return [number(worker, "busy_seconds") or 0.0 for worker in workers]


def difference(snapshot: Snapshot, seconds: float, before: Difference | None) -> Difference:
    """Reads a snapshot once (each of its properties makes new dictionaries); forgets the one before last."""
    if before is not None:
        before.before = None
    return Difference(
        snapshot.transports,
        snapshot.publications,
        snapshot.subscriptions,
        snapshot.workers,
        max(0.001, seconds),
        before,
    )
