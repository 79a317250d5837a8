"""Many seeds' figures against a scenario's goals: median, worst, and whether the goal is met."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Verdict:
    """One goal over all seeds. A seed in which the figure could not be taken counts as the worst."""

    of: str
    metric: str
    goal: str
    median: float | None
    worst: float | None
    met: bool
    seeds: int
    """Seeds that meet it by themselves."""


def _excess(goal: dict[str, Any], value: float | None) -> float:
    """How far a figure is on the wrong side of the nearer bound; below 0 on the right side."""
    if value is None:
        return math.inf
    above = value - goal["at_most"] if "at_most" in goal else -math.inf
    below = goal["at_least"] - value if "at_least" in goal else -math.inf
    return float(max(above, below))


def bounds(goal: dict[str, Any]) -> str:
    """The goal as people write it; ``(m)`` marks one that the median is held against."""
    texts = [f"{sign} {goal[name]:g}" for name, sign in (("at_least", "≥"), ("at_most", "≤")) if name in goal]
    return ", ".join(texts) + (" (m)" if goal.get("judge") == "median" else "")


def judge(goal: dict[str, Any], values: Sequence[float | None]) -> Verdict:
    """A goal held against the figures of all seeds."""
    known = [value for value in values if value is not None]
    middle = median(known) if len(known) == len(values) and known else None
    worst = max(values, key=lambda value: _excess(goal, value), default=None)
    judged = middle if goal.get("judge") == "median" else worst
    met = judged is not None and _excess(goal, judged) <= 0
    alone = sum(_excess(goal, value) <= 0 for value in values)
    return Verdict(goal["of"], goal["metric"], bounds(goal), middle, worst, met, alone)


def verdicts(reports: Sequence[dict[str, Any]]) -> list[Verdict]:
    """All goals of a scenario over its seeds' reports."""
    if not reports:
        return []
    goals = [report["goals"] for report in reports]
    return [judge(goals[0][n], [of_seed[n]["value"] for of_seed in goals]) for n in range(len(goals[0]))]


def worst_seed(reports: Sequence[dict[str, Any]]) -> int:
    """The seed that misses most goals; of several the first."""
    missed = [sum(not goal["met"] for goal in report["goals"]) for report in reports]
    return int(reports[missed.index(max(missed))]["seed"])


def spread(reports: Sequence[dict[str, Any]], of: str, metric: str) -> tuple[float, float, float] | None:
    """Median, least and most of a figure over the seeds that have it."""
    values = [report["metrics"].get(of, {}).get(metric) for report in reports]
    known = [value for value in values if value is not None]
    return (median(known), min(known), max(known)) if known else None
