"""Line charts as SVG text: no script, no style that a strict page would refuse. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from mediaserver.operations.model import Severity

WIDTH, HEIGHT = 720, 168
LEFT, RIGHT, TOP, BOTTOM = 62, 28, 24, 40
COLOURS = ("#0b5394", "#b45f06", "#38761d", "#741b47", "#134f5c", "#7f6000")
DASHES = ("none", "6 3", "2 3", "8 3 2 3", "1 4", "12 4")
"""Lines differ by more than colour: reports are printed in grey."""
SHADES = {"hurt": "#f2b8b5", "watch": "#fdf0c4"}
MAX_POINTS = 720
"""One a pixel; more would only make the page heavy."""
GAP_MS = 15_000
"""Longer without a value, the line breaks: it must not look as if something had been measured there."""


@dataclass(frozen=True, slots=True)
class Series:
    """One line: (Unix ms, value) in order of time."""

    name: str
    points: Sequence[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Band:
    """A span of time (Unix ms) in which something was wrong."""

    from_ms: int
    to_ms: int
    severity: Severity


@dataclass(frozen=True, slots=True)
class Axis:
    """What charts of one report share: the time from left to right (Unix ms) and how it is written."""

    from_ms: int
    to_ms: int
    clock: Callable[[int], str]
    gap_ms: int = GAP_MS
    """Where no value is for so long the line breaks."""

    def x(self, at_ms: int) -> float:
        """Where a moment stands; what lies outside stands at the edge."""
        share = (at_ms - self.from_ms) / (self.to_ms - self.from_ms)
        return LEFT + (WIDTH - LEFT - RIGHT) * min(1.0, max(0.0, share))


def line_chart(
    title: str, series: Sequence[Series], axis: Axis, show: Callable[[float], str], bands: Sequence[Band] = ()
) -> str:
    """One chart; ``show`` writes a value with its unit. Empty text when there is nothing to draw."""
    drawn = [one for one in series if one.points]
    if not drawn or axis.to_ms <= axis.from_ms:
        return ""
    top = max(value for one in drawn for _, value in one.points) or 1.0

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top)

    parts = [_head(title), *(_band(one, axis) for one in bands)]
    parts += [_level(y(top * share), show(top * share)) for share in (0.0, 0.5, 1.0)]
    parts += [_moment(axis, share) for share in (0.0, 0.5, 1.0)]
    label_at = LEFT
    for index, one in enumerate(drawn):
        pen = (
            f'stroke="{COLOURS[index % len(COLOURS)]}" stroke-dasharray="{DASHES[index % len(DASHES)]}" '
            'stroke-width="1.5" fill="none"'
        )
        size = -(-len(one.points) // MAX_POINTS)
        for run in runs(one.points, axis.gap_ms):
            line = " ".join(f"{axis.x(at_ms):.1f},{y(value):.1f}" for at_ms, value in thin(run, size))
            parts.append(f'<polyline points="{line}" {pen}/>')
        parts.append(_label(label_at, one.name, pen))
        label_at += 42 + 7 * len(one.name)
    return "".join([*parts, "</svg>"])


def _head(title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" role="img" aria-label="{escape(title, quote=True)}" font-family="sans-serif" '
        f'font-size="11"><text x="{LEFT}" y="14" font-size="13" font-weight="bold">{escape(title)}</text>'
    )


def _level(y: float, text: str) -> str:
    return (
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#cccccc"/>'
        f'<text x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{escape(text)}</text>'
    )


def _band(band: Band, axis: Axis) -> str:
    left, right = axis.x(band.from_ms), axis.x(band.to_ms)
    return (
        f'<rect x="{left:.1f}" y="{TOP}" width="{right - left:.1f}" height="{HEIGHT - TOP - BOTTOM}" '
        f'fill="{SHADES[band.severity]}"/>'
    )


def _moment(axis: Axis, share: float) -> str:
    at_ms = round(axis.from_ms + share * (axis.to_ms - axis.from_ms))
    return (
        f'<text x="{axis.x(at_ms):.1f}" y="{HEIGHT - BOTTOM + 14}" text-anchor="middle">'
        f"{escape(axis.clock(at_ms))}</text>"
    )


def _label(x: int, text: str, pen: str) -> str:
    y = HEIGHT - 7
    return (
        f'<line x1="{x}" x2="{x + 22}" y1="{y}" y2="{y}" {pen}/>'
        f'<text x="{x + 26}" y="{y + 4}">{escape(text)}</text>'
    )


def thin(points: Sequence[tuple[int, float]], size: int) -> list[tuple[int, float]]:
    """The highest of each ``size``: reports are about peaks."""
    return [max(points[at : at + size], key=lambda point: point[1]) for at in range(0, len(points), size)]


def runs(points: Sequence[tuple[int, float]], gap_ms: int) -> list[list[tuple[int, float]]]:
    """Split where nothing was measured."""
    found: list[list[tuple[int, float]]] = []
    for point in points:
        if found and point[0] - found[-1][-1][0] <= gap_ms:
            found[-1].append(point)
        else:
            found.append([point])
    return found
