"""What each viewer got: levels, their reasons, and few runs."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from mediaserver.layers import Reason as Chosen
from mediaserver.operations.model import Sample
from mediaserver.quality_history.thinning import thinned
from mediaserver.review.reception import (
    LEVELS,
    MAX_RUNS,
    MAX_VIEWERS,
    MAX_WINDOWS,
    Reception,
    Run,
    Viewer,
    shortened,
)
from tests.mediaserver.seconds import AT_MS, leg, observer, surgeon, view

NOT_SENT = {"bits_per_second": 0, "layer": None}
SOUND = view(publication="mic", kind="audio", layer=None)


def told(samples: list[Sample], seconds: int) -> list[Viewer]:
    reception = Reception(AT_MS, AT_MS + seconds * 1000)
    reception.add([surgeon(AT_MS), *samples])
    return reception.viewers()


def steady(seconds: int, **more: Any) -> list[Sample]:
    return [observer(AT_MS + second * 1000, **{"step": "full", **more}) for second in range(seconds)]


@pytest.mark.parametrize(
    ("more", "level", "reason"),
    [
        ({}, "full", None),
        ({"step": "reduced", "views": (view(reason=Chosen.LINK),)}, "reduced", "link"),
        ({"step": "reduced", "views": (view(reason=Chosen.PRIORITY),)}, "reduced", "priority"),
        ({"step": "reduced", "views": (view(reason=Chosen.SETTLING),)}, "reduced", "measuring"),
        ({"views": (view(loss_after_ratio=0.05),)}, "reduced", "loss"),
        ({"views": (view(freeze_seconds=0.3),)}, "frozen", "freeze"),
        (
            {"step": "stills", "views": (view(reason=Chosen.LINK, still_seconds=2.0, freeze_seconds=0.9),)},
            "stills",
            "link",
        ),
        ({"step": "sound", "views": (view(reason=Chosen.LINK, **NOT_SENT), SOUND)}, "sound", "link"),
        ({"step": "sound", "views": (view(reason=Chosen.LINK, **NOT_SENT),)}, "nothing", "link"),
        ({"views": (view(reason=Chosen.HIDDEN, **NOT_SENT), SOUND)}, "sound", "hidden"),
        ({"views": (view(reason=Chosen.MUTED, **NOT_SENT),)}, "nothing", "muted"),
        ({"views": (view(reason=Chosen.NO_SIGNAL, **NOT_SENT),)}, "nothing", "no_signal"),
        ({"views": (SOUND,)}, "sound", None),
        ({"down": leg(phase="interrupted")}, "away", "disconnected"),
        ({"step": "silent"}, "away", "disconnected"),
        ({"connected": False}, "away", "disconnected"),
    ],
)
def test_the_level_and_why(more: dict[str, Any], level: str, reason: str | None) -> None:
    [one] = told(steady(30, **more), 30)
    assert one.participant == "observer-1"
    assert one.runs == [Run(start=0, end=30, level=level, reason=reason)]  # type: ignore[arg-type]


def test_the_worst_second_of_a_window_stands_for_it() -> None:
    seconds = steady(20)
    seconds[3] = observer(seconds[3].at_ms, step="sound", views=(view(reason=Chosen.LINK, **NOT_SENT), SOUND))
    assert [(run.start, run.end, run.level) for run in told(seconds, 20)[0].runs] == [
        (0, 10, "sound"),
        (10, 20, "full"),
    ]


def test_a_thinned_history_tells_the_same() -> None:
    seconds = steady(60)
    seconds[34] = observer(seconds[34].at_ms, step="stills", views=(view(reason=Chosen.LINK),))
    seconds[51] = observer(seconds[51].at_ms, step="full", views=(view(freeze_seconds=1.0),))
    # The last words of a window stand for it when it is thinned; the reason may be lost, the level never.
    levels = [(run.start, run.end, run.level) for run in told(seconds, 60)[0].runs]
    thin = [thinned(seconds[at : at + 10]) for at in range(0, 60, 10)]
    assert [(run.start, run.end, run.level) for run in told(thin, 60)[0].runs] == levels
    assert [level for _, _, level in levels] == ["full", "stills", "full", "frozen"]


def test_before_anything_was_decided_nothing_is_said() -> None:
    assert told(steady(20, step=None), 20)[0].runs == []


def test_who_watches_nothing_is_no_viewer() -> None:
    assert told(steady(20, views=()), 20) == []


def test_without_samples_nothing_is_known() -> None:
    reception = Reception(AT_MS, AT_MS + 1000)
    assert (reception.viewers(), reception.known_from) == ([], None)


def test_viewers_are_bounded_and_those_left_out_counted() -> None:
    reception = Reception(AT_MS, AT_MS + 20_000)
    for second in range(20):
        reception.add(
            observer(AT_MS + second * 1000, participant=f"o{index}", step="full")
            for index in range(MAX_VIEWERS + 5)
        )
    assert (len(reception.viewers()), reception.left_out) == (MAX_VIEWERS, 5)


def test_ten_hours_have_no_more_windows() -> None:
    reception = Reception(AT_MS, AT_MS + 36_000_000)
    steps = ("full", "reduced")
    reception.add(
        observer(AT_MS + at * 10_000, step=steps[at // 30 % 2], views=(view(reason=Chosen.LINK),))
        for at in range(3_600)
    )
    [one] = reception.viewers()
    assert len(one.runs) <= MAX_RUNS <= MAX_WINDOWS
    assert {round(run.start * 1000) % 50_000 for run in one.runs} == {0}


def test_many_runs_become_few_and_keep_what_was_bad() -> None:
    runs = [
        Run(start=at, end=at + 10, level="frozen" if at == 5000 else LEVELS[at // 10 % 2], reason=None)
        for at in range(0, 10_000, 10)
    ]
    found = shortened(runs, MAX_RUNS)
    assert len(found) <= MAX_RUNS
    assert (found[0].start, found[-1].end) == (0, 10_000)
    assert all(one.end == other.start for one, other in pairwise(found))
    assert any(one.level == "frozen" and one.start <= 5000 < one.end for one in found)
