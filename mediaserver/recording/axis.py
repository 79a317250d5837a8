"""From publishers' clocks to the one axis of a recording: seconds of the server's monotonic clock from its
start.

A sender report (RFC 3550 section 6.4.1) ties a stream's RTP clock to its publisher's wall clock, which all
streams of that publisher share. How far that clock is from ours is the least delay with which reports
arrived, since a network only ever adds to it; taken anew every few seconds it follows drift and steps.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

NTP_UNIT: Final = 1 / (1 << 32)
"""Seconds of one unit of an NTP timestamp."""
WINDOW_SECONDS: Final = 60.0
"""Long enough to hold several reports that nothing delayed, short enough that drift is even in it."""
DRIFT_LIMIT: Final = 0.001
"""1,000 ppm: no clock of a computer is so far off; what looks like it is a network whose delay changed."""
STEP_SECONDS: Final = 1.0
"""A publisher's wall clock that moved by more against ours was set."""
_SLOPE_TOLERANCE: Final = 0.02
"""A stream's clock this far off its nominal rate between two reports is a report in error."""


class Report(NamedTuple):
    """A sender report as recorded; ``arrival`` on the axis, ``ntp`` in seconds, ``rtp`` unwrapped."""

    arrival: float
    ntp: float
    rtp: int


class Line:
    """A function through points, straight between them; beyond the ends with the given slope."""

    def __init__(self, points: Sequence[tuple[float, float]], slope: float) -> None:
        self._xs = [x for x, _ in points]
        self._ys = [y for _, y in points]
        self._slope = slope

    def __call__(self, x: float) -> float:
        """The value at ``x``."""
        xs, ys = self._xs, self._ys
        index = bisect_right(xs, x)
        if index == 0:
            return ys[0] + (x - xs[0]) * self._slope
        if index == len(xs):
            return ys[-1] + (x - xs[-1]) * self._slope
        x0, y0 = xs[index - 1], ys[index - 1]
        return y0 + (x - x0) * (ys[index] - y0) / (xs[index] - x0)


def least_delays(samples: Iterable[tuple[float, float]]) -> Line:
    """The least delay as it drifts, from (moment, delay) samples. Needs one sample.

    In every window the line below all samples that lies closest to them, for a network only adds to the delay
    and clocks drift evenly for a minute: the edge of the lower convex hull that spans the middle (Moon,
    Skelly, Towsley 1999). Between the middles of windows it goes straight.
    """
    windows: list[list[tuple[float, float]]] = []
    for sample in sorted(samples):
        if not windows or sample[0] >= windows[-1][0][0] + WINDOW_SECONDS:
            windows.append([])
        windows[-1].append(sample)
    # A window that only began says too little by itself.
    if len(windows) > 1 and windows[-1][-1][0] - windows[-1][0][0] < WINDOW_SECONDS / 2:
        rest = windows.pop()
        windows[-1] += rest
    lines = [_below(window) for window in windows]
    middles = [(window[0][0] + window[-1][0]) / 2 for window in windows]
    first, last = windows[0][0][0], windows[-1][-1][0]
    points = [
        (first, lines[0](first)),
        *zip(middles, (line(x) for line, x in zip(lines, middles, strict=True)), strict=True),
    ]
    return Line([*points, (last, lines[-1](last))], 0.0)


def _below(samples: Sequence[tuple[float, float]]) -> Line:
    """The closest line below samples that are sorted by their moment."""
    lowest = min(samples, key=lambda sample: sample[1])
    middle = (samples[0][0] + samples[-1][0]) / 2
    hull: list[tuple[float, float]] = []
    for point in samples:
        while len(hull) > 1 and _turns_up(hull[-2], hull[-1], point) <= 0:
            hull.pop()
        if hull and hull[-1][0] == point[0]:
            continue
        hull.append(point)
    for (x0, y0), (x1, y1) in pairwise(hull):
        if x0 <= middle <= x1 and abs(y1 - y0) <= DRIFT_LIMIT * (x1 - x0):
            return Line([(x0, y0)], (y1 - y0) / (x1 - x0))
    # Too few, or a slope that no clock has: without drift.
    return Line([lowest], 0.0)


def _turns_up(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def publisher_offset(reports: Sequence[Report]) -> dict[int, float]:
    """For every report (by its index) what to add to its NTP time; one publisher's reports of all its
    streams."""
    order = sorted(range(len(reports)), key=lambda index: reports[index].arrival)
    epochs: list[list[int]] = []
    last = 0.0
    for index in order:
        delay = reports[index].arrival - reports[index].ntp
        if not epochs or abs(delay - last) > STEP_SECONDS:
            epochs.append([])
        epochs[-1].append(index)
        last = delay
    offsets: dict[int, float] = {}
    for epoch in epochs:
        line = least_delays([(reports[i].ntp, reports[i].arrival - reports[i].ntp) for i in epoch])
        offsets.update({index: line(reports[index].ntp) for index in epoch})
    return offsets


def by_reports(points: Iterable[tuple[int, float]], clock_rate: int) -> Line | None:
    """Unwrapped RTP timestamps to the axis through (timestamp, axis) points of reports."""
    nominal = 1 / clock_rate
    kept: list[tuple[float, float]] = []
    for rtp, at in sorted(points):
        if kept:
            ticks = rtp - kept[-1][0]
            if (
                ticks <= 0
                or abs((at - kept[-1][1]) - ticks * nominal) > ticks * nominal * _SLOPE_TOLERANCE + 0.01
            ):
                continue
        kept.append((float(rtp), at))
    return Line(kept, nominal) if kept else None


def by_arrivals(packets: Iterable[tuple[int, float]], clock_rate: int) -> Line:
    """The same from (timestamp, arrival) alone, for a stream whose publisher sent no report. Needs one
    packet."""
    nominal = 1 / clock_rate
    seen = list(packets)
    base = seen[0][0]
    delays = least_delays(
        [((rtp - base) * nominal, arrival - (rtp - base) * nominal) for rtp, arrival in seen]
    )
    first, last = min(rtp for rtp, _ in seen), max(rtp for rtp, _ in seen)
    step = max(1, int(clock_rate * WINDOW_SECONDS / 4))
    corners = [*range(first, last, step), last]
    points = [(float(rtp), (rtp - base) * nominal + delays((rtp - base) * nominal)) for rtp in corners]
    return Line(points, nominal)
