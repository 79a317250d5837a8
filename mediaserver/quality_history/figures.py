"""The plane's snapshot against the one before: counts as rates, sums as shares. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


class Figures(Protocol):
    """What is read of ``_dataplane.Figures``."""

    def get(self, name: str, /) -> object: ...


class FiguresByHandle(Protocol):
    """What is read of ``_dataplane.FiguresByHandle``."""

    def get(self, handle: int, /) -> Figures | None: ...


class Snapshot(Protocol):
    """What is read of ``_dataplane.Stats``."""

    @property
    def workers(self) -> list[dict[str, object]]: ...
    @property
    def transports(self) -> FiguresByHandle: ...
    @property
    def publications(self) -> FiguresByHandle: ...
    @property
    def subscriptions(self) -> FiguresByHandle: ...


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


_NOTHING: Figures = {}


class Change:
    """One thing's figures now and before; ``seconds`` lie between. Two a viewer are made every second."""

    __slots__ = ("before", "now", "seconds")

    def __init__(self, now: Figures | None, before: Figures | None, seconds: float) -> None:
        self.now: Figures = _NOTHING if now is None else now
        self.before = before
        self.seconds = seconds

    def grown(self, name: str) -> int:
        """How much a counter grew; never less than 0."""
        if self.before is None:
            # What was not there before has not grown yet.
            return 0
        return max(0, count(self.now, name) - count(self.before, name))

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


@dataclass(slots=True)
class Difference:
    """Two snapshots. ``fresh`` is false when the workers have published nothing since the one before."""

    transports: FiguresByHandle
    publications: FiguresByHandle
    subscriptions: FiguresByHandle
    workers: list[dict[str, object]]
    seconds: float
    before: Difference | None = field(repr=False)

    @property
    def fresh(self) -> bool:
        """A worker's processor time moves with every snapshot it publishes."""
        return self.before is None or busy(self.workers) != busy(self.before.workers)

    def transport(self, handle: int) -> Change:
        """Of one transport."""
        before = self.before.transports.get(handle) if self.before else None
        return Change(self.transports.get(handle), before, self.seconds)

    def publication(self, handle: int) -> Change:
        """Of one publication."""
        before = self.before.publications.get(handle) if self.before else None
        return Change(self.publications.get(handle), before, self.seconds)

    def subscription(self, handle: int) -> Change:
        """Of one subscription."""
        before = self.before.subscriptions.get(handle) if self.before else None
        return Change(self.subscriptions.get(handle), before, self.seconds)


def busy(workers: list[dict[str, object]]) -> list[float]:
    """Seconds of processor time per worker."""
    return [number(worker, "busy_seconds") or 0.0 for worker in workers]


def difference(snapshot: Snapshot, seconds: float, before: Difference | None) -> Difference:
    """Reads a snapshot once (each of its properties makes an index anew); forgets the one before last."""
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
