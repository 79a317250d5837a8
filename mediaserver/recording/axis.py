"""From publishers' clocks to the one axis of a recording: seconds of the server's monotonic clock from its start.

A sender report (RFC 3550 section 6.4.1) ties a stream's RTP clock to its publisher's wall clock, which all
streams of that publisher share. How far that clock is from ours is the least delay with which reports
arrived, since a network only ever adds to it; taken anew every few seconds it follows drift and steps.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

NTP_UNIT: Final = 1 / (1 << 32)
"""Seconds of one unit of an NTP timestamp."""
WINDOW_SECONDS: Final = 10.0
"""Long enough to hold a report that nothing delayed, short enough that 200 ppm drift by 2 ms only."""
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
    """The lower envelope of (moment, delay) samples: the least delay of every window. Needs one sample."""
    windows: list[list[tuple[float, float]]] = []
    begun = float("-inf")
    for moment, delay in sorted(samples):
        if moment >= begun + WINDOW_SECONDS:
            windows.append([])
            begun = moment
        windows[-1].append((moment, delay))
    # A window that only began has not seen its least delay yet.
    if len(windows) > 1 and len(windows[-1]) * 2 < len(windows[-2]):
        windows[-2] += windows.pop()
    return Line([min(window, key=lambda sample: sample[1]) for window in windows], 0.0)


def publisher_offset(reports: Sequence[Report]) -> dict[int, float]:
    """For every report (by its index) what to add to its NTP time; one publisher's reports of all its streams."""
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
            if ticks <= 0 or abs((at - kept[-1][1]) - ticks * nominal) > ticks * nominal * _SLOPE_TOLERANCE + 0.01:
                continue
        kept.append((float(rtp), at))
    return Line(kept, nominal) if kept else None


def by_arrivals(packets: Iterable[tuple[int, float]], clock_rate: int) -> Line:
    """The same from (timestamp, arrival) alone, for a stream whose publisher sent no report. Needs one packet."""
    nominal = 1 / clock_rate
    seen = list(packets)
    base = seen[0][0]
    delays = least_delays([((rtp - base) * nominal, arrival - (rtp - base) * nominal) for rtp, arrival in seen])
    first, last = min(rtp for rtp, _ in seen), max(rtp for rtp, _ in seen)
    step = max(1, int(clock_rate * WINDOW_SECONDS))
    corners = [*range(first, last, step), last]
    points = [(float(rtp), (rtp - base) * nominal + delays((rtp - base) * nominal)) for rtp in corners]
    return Line(points, nominal)
