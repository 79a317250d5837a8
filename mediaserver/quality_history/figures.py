"""The plane's snapshot against the one before: counts as rates, sums as shares. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias

Row: TypeAlias = tuple[Any, ...]
"""One thing's figures in the order in which they were asked for, those that grew last."""

LEG: Final = (
    "bandwidth_phase",
    "bandwidth_bits_per_second",
    "loss_ratio",
    "round_trip_seconds",
    "jitter_seconds",
    "queue_delay_seconds",
)
LEG_GROWN: Final = ("bytes_out",)
NO_LEG: Final[Row] = (*(None for _ in LEG), *(0 for _ in LEG_GROWN))
VIEW: Final = ("state", "layer", "fraction_lost_ratio")
VIEW_GROWN: Final = ("octets", "nacks_received", "plis_received")
NO_VIEW: Final[Row] = (*(None for _ in VIEW), *(0 for _ in VIEW_GROWN))


class Figures(Protocol):
    """What is read of ``_dataplane.Figures``."""

    def get(self, name: str, /) -> object: ...


class FiguresByHandle(Protocol):
    """What is read of ``_dataplane.FiguresByHandle``."""

    def get(self, handle: int, /) -> Figures | None: ...
    def rows(self, names: Sequence[str], grown: Sequence[str], before: Any) -> Mapping[int, Row]: ...


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
    """One thing's figures now and before; ``seconds`` lie between."""

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
    """Two snapshots. ``fresh`` is false when the workers have published nothing since the one before.

    Of viewers, of whom there may be hundreds, the plane makes rows in one pass.
    """

    transports: FiguresByHandle
    publications: FiguresByHandle
    subscriptions: FiguresByHandle
    workers: list[dict[str, object]]
    legs: Mapping[int, Row]
    """``LEG`` and ``LEG_GROWN`` by transport."""
    views: Mapping[int, Row]
    """``VIEW`` and ``VIEW_GROWN`` by subscription."""
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


def busy(workers: list[dict[str, object]]) -> list[float]:
    """Seconds of processor time per worker."""
    return [number(worker, "busy_seconds") or 0.0 for worker in workers]


def difference(snapshot: Snapshot, seconds: float, before: Difference | None) -> Difference:
    """Reads a snapshot once (each of its properties makes an index anew); forgets the one before last."""
    if before is not None:
        before.before = None
    transports, subscriptions = snapshot.transports, snapshot.subscriptions
    return Difference(
        transports,
        snapshot.publications,
        subscriptions,
        snapshot.workers,
        transports.rows(LEG, LEG_GROWN, None if before is None else before.transports),
        subscriptions.rows(VIEW, VIEW_GROWN, None if before is None else before.subscriptions),
        max(0.001, seconds),
        before,
    )
