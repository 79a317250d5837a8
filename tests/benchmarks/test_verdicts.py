"""Goals over many seeds: the worst counts, or the median; what could not be measured is a miss."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.verdicts import bounds, judge, spread, verdicts, worst_seed


def goal(**more: object) -> dict[str, Any]:
    return {"of": "viewer", "metric": "x", **more}


def report(seed: int, value: float | None, met: bool) -> dict[str, Any]:
    figures = {} if value is None else {"x": value}
    held = goal(at_most=2.0, judge="worst", value=value, met=met)
    return {"seed": seed, "metrics": {"viewer": figures}, "goals": [held]}


@pytest.mark.parametrize(
    ("bound", "values", "median", "worst", "met", "seeds"),
    [
        ({"at_most": 2.0}, [1.0, 3.0, 1.5], 1.5, 3.0, False, 2),
        ({"at_most": 3.0}, [1.0, 3.0, 1.5], 1.5, 3.0, True, 3),
        ({"at_least": 2.0}, [5.0, 3.0, 1.5], 3.0, 1.5, False, 2),
        ({"at_least": 2.0, "judge": "median"}, [5.0, 3.0, 1.5], 3.0, 1.5, True, 2),
        ({"at_least": 0.9, "at_most": 1.1}, [1.0, 1.3, 0.85], 1.0, 1.3, False, 1),
        ({"at_most": 2.0}, [1.0, None, 1.5], None, None, False, 2),
        ({"at_most": 2.0}, [], None, None, False, 0),
    ],
)
def test_a_goal_over_seeds(  # one column each
    bound: dict[str, Any],
    values: list[float | None],
    median: float | None,
    worst: float | None,
    met: bool,
    seeds: int,
) -> None:
    verdict = judge(goal(**bound), values)
    assert (verdict.median, verdict.worst, verdict.met, verdict.seeds) == (median, worst, met, seeds)


def test_bounds_are_written_as_people_do() -> None:
    assert bounds(goal(at_least=0.35, at_most=0.65)) == "≥ 0.35, ≤ 0.65"
    assert bounds(goal(at_least=20, judge="median")) == "≥ 20 (m)"


def test_the_worst_seed_is_that_which_misses_most() -> None:
    reports = [report(1, 1.0, True), report(2, 3.0, False), report(3, 9.0, False)]
    assert worst_seed(reports) == 2
    assert [verdict.worst for verdict in verdicts(reports)] == [9.0]
    assert spread(reports, "viewer", "x") == (3.0, 1.0, 9.0)
    assert spread([report(1, None, False)], "viewer", "x") is None
