"""What each viewer got while a recording was made, from the operators' history: levels over time. Pure.

Seconds are put together in windows, so that a history thinned to one sample in ten seconds tells the same;
the worst of a window stands for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from mediaserver.layers import Reason as Chosen
from mediaserver.operations.model import Sample, ViewSample
from mediaserver.policy import Role
from mediaserver.quality_history.store import THIN_STEP_MS

Level: TypeAlias = Literal["full", "reduced", "stills", "sound", "frozen", "nothing", "away"]
Reason: TypeAlias = Literal[
    "link", "priority", "measuring", "loss", "freeze", "hidden", "muted", "no_signal", "disconnected"
]

LEVELS: tuple[Level, ...] = ("full", "reduced", "stills", "sound", "frozen", "nothing", "away")
"""The best first. ``nothing``: connected, and sent nothing; ``away``: in the room, and not connected."""
MAX_VIEWERS = 60
MAX_RUNS = 60
"""Of one viewer."""
MAX_WINDOWS = 720
"""Of one viewer: longer recordings have longer windows, of ten seconds each at least."""
FROZEN_SHARE = 0.1
"""Of a window's time: a second in ten."""
LOSS_RATIO = 0.01
"""After repair: a picture visibly suffers (05-clinical 2.5)."""

_CHOSEN: dict[Chosen | None, Reason] = {
    Chosen.LINK: "link",
    Chosen.PRIORITY: "priority",
    Chosen.SETTLING: "measuring",
    Chosen.MEASURING: "measuring",
}
"""Why the layer choice gave less than was wanted, the weightiest first."""
_NOT_SENT: dict[Chosen | None, Reason] = {
    Chosen.NO_SIGNAL: "no_signal",
    Chosen.MUTED: "muted",
    Chosen.HIDDEN: "hidden",
}
"""Why there was nothing to send."""


class Run(Struct, frozen=True, kw_only=True):
    """The same for a while; in seconds on the recording's axis."""

    start: float
    end: float
    level: Level
    reason: Reason | None
    """Why it was not all: None for ``full``, and for who watched no picture."""


class Viewer(Struct, frozen=True, kw_only=True):
    """Somebody who was sent something; who that is, nobody says here. Between runs nothing is known of them:
    they were not there, or watched nothing."""

    participant: str
    role: Role
    runs: list[Run]


Got: TypeAlias = tuple[Level, Reason | None]


class Reception:
    """Takes samples of a room, oldest first, and tells what everybody got from them."""

    def __init__(self, from_ms: int, to_ms: int) -> None:
        """The recording's beginning and end in Unix milliseconds."""
        self.known_from: float | None = None
        """Of the first sample, in seconds on the recording's axis; None: there was none."""
        self.left_out = 0
        """Viewers beyond ``MAX_VIEWERS``."""
        self._from_ms = from_ms
        self._to_ms = to_ms
        steps = -(-(to_ms - from_ms) // (MAX_WINDOWS * THIN_STEP_MS))
        self._window_ms = max(1, steps) * THIN_STEP_MS
        self._window = -1
        self._open: dict[str, list[Sample]] = {}
        self._roles: dict[str, Role] = {}
        self._strangers: set[str] = set()
        self._runs: dict[str, list[Run]] = {}

    def add(self, samples: Iterable[Sample]) -> None:
        """Of the room, in order of time, those that only publish included."""
        for sample in samples:
            window = sample.at_ms // self._window_ms
            if window != self._window:
                self._close()
                self._window = window
            if self.known_from is None:
                self.known_from = self._seconds(sample.at_ms)
            if sample.views and self._knows(sample):
                self._open.setdefault(sample.participant, []).append(sample)

    def viewers(self) -> list[Viewer]:
        """Everybody who watched, in the order in which they came."""
        self._close()
        return [
            Viewer(participant=id, role=self._roles[id], runs=shortened(runs, MAX_RUNS))
            for id, runs in self._runs.items()
        ]

    def _knows(self, sample: Sample) -> bool:
        if sample.participant not in self._roles:
            if len(self._roles) == MAX_VIEWERS:
                self._strangers.add(sample.participant)
                self.left_out = len(self._strangers)
                return False
            self._roles[sample.participant] = sample.role
        return True

    def _close(self) -> None:
        start = self._seconds(self._window * self._window_ms)
        end = self._seconds((self._window + 1) * self._window_ms)
        for id, samples in self._open.items():
            runs = self._runs.setdefault(id, [])
            got = received(samples, self._window_ms / 1000)
            if got is not None:
                _append(runs, Run(start=start, end=end, level=got[0], reason=got[1]))
        self._open = {}

    def _seconds(self, at_ms: int) -> float:
        return (min(max(at_ms, self._from_ms), self._to_ms) - self._from_ms) / 1000


def received(samples: Sequence[Sample], seconds: float) -> Got | None:
    """The worst of what a viewer got in a window of so many ``seconds``; None: it was not decided yet."""
    frozen: dict[str, float] = {}
    for sample in samples:
        for view in sample.views:
            if view.still_seconds is not None:
                continue  # to a browser a still is a freeze
            frozen[view.publication] = frozen.get(view.publication, 0.0) + view.freeze_seconds
    found: list[Got] = [got for sample in samples if (got := _at(sample)) is not None]
    if max(frozen.values(), default=0.0) >= FROZEN_SHARE * seconds:
        found.append(("frozen", "freeze"))
    return max(found, key=lambda got: LEVELS.index(got[0]), default=None)


def _at(sample: Sample) -> Got | None:
    """In one sample: what the survival ladder says, and what of it flowed."""
    down = sample.down
    if not sample.connected or sample.step == "silent" or (down is not None and down.phase != "connected"):
        return "away", "disconnected"
    if sample.step is None:
        return None
    pictures = [view for view in sample.views if view.kind == "video"]
    heard = any(view.kind == "audio" and view.bits_per_second > 0 for view in sample.views)
    if sample.step in ("reduced", "stills"):
        return sample.step, _why(pictures, _CHOSEN)
    if sample.step == "sound":
        return "sound" if heard else "nothing", _why(pictures, _CHOSEN)
    if not any(view.bits_per_second > 0 for view in pictures):
        return "sound" if heard else "nothing", _why(pictures, _NOT_SENT)
    suffers = any((view.loss_after_ratio or 0.0) >= LOSS_RATIO for view in pictures)
    return ("reduced", "loss") if suffers else ("full", None)


def _why(pictures: Sequence[ViewSample], reasons: dict[Chosen | None, Reason]) -> Reason | None:
    """The weightiest of these reasons that any picture has."""
    had = {view.reason for view in pictures}
    return next((said for reason, said in reasons.items() if reason in had), None)


# ---- Runs ----


def shortened(runs: Sequence[Run], most: int) -> list[Run]:
    """At most so many: the shortest joins its shorter neighbour, and both become the worse of the two.

    So what was bad may look longer than it was, and never disappears. Where nothing is known between two that
    join, the joined run covers it.
    """
    found = list(runs)
    while len(found) > most:
        at = min(range(len(found)), key=lambda index: _length(found[index]))
        around = [index for index in (at - 1, at + 1) if 0 <= index < len(found)]
        first = min(at, min(around, key=lambda index: _length(found[index])))
        one, other = found[first : first + 2]
        worse = max(one, other, key=lambda run: LEVELS.index(run.level))
        found[first : first + 2] = [replace(worse, start=one.start, end=other.end)]
        around_it = slice(max(0, first - 1), first + 2)
        joined: list[Run] = []
        for run in found[around_it]:
            _append(joined, run)
        found[around_it] = joined
    return found


def _length(run: Run) -> float:
    return run.end - run.start


def _append(runs: list[Run], run: Run) -> None:
    """Goes on where the last of the same kind ended."""
    last = runs[-1] if runs else None
    if last is not None and (last.end, last.level, last.reason) == (run.start, run.level, run.reason):
        runs[-1] = replace(last, end=run.end)
    elif run.end > run.start:
        runs.append(run)
