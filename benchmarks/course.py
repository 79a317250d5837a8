"""The course of a run as a picture: capacity, estimate and sent rate, queue delay, layer, freezes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

WIDTH, LEFT, RIGHT = 960, 64, 16
RATES, QUEUE, LAYERS, GAP, TOP = 220, 110, 56, 34, 44
COLOURS = {
    "capacity": "#6b7280",
    "estimate": "#d97706",
    "sent": "#2563eb",
    "queue": "#7c3aed",
    "layer": "#047857",
}
FREEZE = "#dc2626"


@dataclass(frozen=True)
class Panel:
    """A part of the picture: its place, and what its height stands for."""

    top: float
    height: float
    most: float
    seconds: float

    def x(self, seconds: float) -> float:
        """Where a moment lies."""
        return LEFT + (WIDTH - LEFT - RIGHT) * seconds / self.seconds

    def y(self, value: float) -> float:
        """Where a value lies; what is beyond stays at the edge."""
        return self.top + self.height * (1 - min(max(value / self.most, 0.0), 1.0))

    def line(
        self, values: Sequence[float | None], slot: float, colour: str, steps: bool = False
    ) -> Iterator[str]:
        """A line through the values, broken where there are none."""
        run: list[str] = []
        for n, value in enumerate([*values, None]):
            if value is None:
                if run:
                    points = " ".join(run)
                    yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.3"/>'
                run = []
                continue
            run.append(f"{self.x(n * slot):.1f},{self.y(value):.1f}")
            if steps:
                run.append(f"{self.x((n + 1) * slot):.1f},{self.y(value):.1f}")

    def frame(self, title: str, unit: str, ticks: int = 4) -> Iterator[str]:
        """Axes, with the name of what is shown."""
        right = WIDTH - RIGHT
        for n in range(ticks + 1):
            value = self.most * n / ticks
            y = self.y(value)
            yield f'<line x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#e5e7eb"/>'
            yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
        yield f'<text x="{LEFT}" y="{self.top - 8:.1f}">{escape(title)} ({escape(unit)})</text>'


def _ceiling(values: Sequence[float | None], least: float) -> float:
    """A round number that nearly all values stay below: a few spikes do not flatten the rest."""
    known = sorted(value for value in values if value is not None)
    high = known[min(len(known) - 1, int(len(known) * 0.995))] if known else least
    step = 10.0 ** max(len(str(int(max(high, least)))) - 1, 0)
    for factor in (1, 1.5, 2, 3, 4, 5, 6, 8, 10):
        if factor * step >= max(high * 1.05, least):
            return factor * step
    return high * 1.1


def _time_axis(panel: Panel) -> Iterator[str]:
    step = next((step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500) if panel.seconds / step <= 14), 600)
    bottom = panel.top + panel.height
    for second in range(0, int(panel.seconds) + 1, step):
        yield f'<text x="{panel.x(second):.1f}" y="{bottom + 16:.1f}" text-anchor="middle">{second}</text>'
    yield f'<text x="{WIDTH - RIGHT}" y="{bottom + 30:.1f}" text-anchor="end">seconds</text>'


def _legend(names: Sequence[str], y: float) -> Iterator[str]:
    x = LEFT + 250
    for name in names:
        colour = COLOURS[name]
        yield f'<line x1="{x}" y1="{y - 4}" x2="{x + 18}" y2="{y - 4}" stroke="{colour}" stroke-width="2"/>'
        yield f'<text x="{x + 23}" y="{y}">{name}</text>'
        x += 100


def _freezes(freezes: Sequence[Sequence[float]], panels: Sequence[Panel]) -> Iterator[str]:
    """A freeze runs through all panels."""
    first, last = panels[0], panels[-1]
    for start, length in freezes:
        x, width = first.x(start), max(first.x(start + length) - first.x(start), 1.0)
        height = last.top + last.height - first.top
        yield (
            f'<rect x="{x:.1f}" y="{first.top}" width="{width:.1f}" height="{height:.1f}" '
            f'fill="{FREEZE}" fill-opacity="0.18"/>'
        )


def svg(title: str, course: dict[str, Any]) -> str:
    """The picture of one subscriber's course, as ``loupe-adaptation --course`` reports it."""
    slot = float(course["slot_s"])
    seconds = slot * len(course["sent_kbps"])
    # A capacity without bound, or far above all that is sent, would flatten what matters.
    highest = _ceiling([*course["sent_kbps"], *course["estimate_kbps"]], 100.0) * 1.5
    rates = [*course["sent_kbps"], *course["estimate_kbps"]]
    rates += [min(value, highest) for value in course["capacity_kbps"] if value is not None]
    upper = Panel(TOP + 12, RATES, _ceiling(rates, 100.0), seconds)
    middle = Panel(upper.top + RATES + GAP, QUEUE, _ceiling(course["queue_ms"], 50.0), seconds)
    layers = max([layer for layer in course["layer"] if layer is not None], default=1)
    lower = Panel(middle.top + QUEUE + GAP, LAYERS, max(layers, 1), seconds)
    parts = [
        *_freezes(course["freezes"], [upper, middle, lower]),
        *upper.frame("rates", "kbit/s"),
        *_legend(["capacity", "estimate", "sent"], upper.top - 8),
        *upper.line(course["capacity_kbps"], slot, COLOURS["capacity"]),
        *upper.line(course["sent_kbps"], slot, COLOURS["sent"]),
        *upper.line(course["estimate_kbps"], slot, COLOURS["estimate"]),
        *middle.frame("queue delay", "ms", 2),
        *middle.line(course["queue_ms"], slot, COLOURS["queue"]),
        *lower.frame("layer; freezes are red", "0 is the lowest", max(layers, 1)),
        *lower.line(course["layer"], slot, COLOURS["layer"], steps=True),
        *_time_axis(lower),
    ]
    height = lower.top + LAYERS + 44
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
        f'font-family="sans-serif" font-size="11" fill="#374151">'
    )
    background = f'<rect width="{WIDTH}" height="{height:.0f}" fill="white"/>'
    heading = f'<text x="{LEFT}" y="20" font-size="14" font-weight="bold">{escape(title)}</text>'
    return "\n".join([head, background, heading, *parts, "</svg>", ""])
