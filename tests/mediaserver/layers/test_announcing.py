"""What is said, and when."""

from __future__ import annotations

import pytest

from mediaserver.layers import Choice, Forward, Option, Reason, Step
from mediaserver.layers.announcing import (
    BETTER_SECONDS,
    MEASURING_SECONDS,
    PUBLISHER_SECONDS,
    REDUCED_SECONDS,
    Announced,
    Cause,
    Standing,
    announce,
    standing,
)

FULL, REDUCED = Standing(), Standing(Step.REDUCED, Cause.LINK)
SOUND, SILENT = Standing(Step.SOUND, Cause.LINK), Standing(Step.SILENT, Cause.LINK)


def said(series: list[tuple[float, Standing]], began: float = -100.0) -> list[tuple[float, Standing]]:
    """What is said over a series of truths, each looked at ten times a second until the next."""
    announced, heard = Announced(), []
    for (start, true), (end, _) in zip(series, [*series[1:], (series[-1][0] + 10, FULL)], strict=True):
        for tick in range(int((end - start) * 10)):
            now = start + tick / 10
            after = announce(now, began, announced, true)
            if after.standing != announced.standing:
                heard.append((now, after.standing))
            announced = after
    return heard


@pytest.mark.parametrize("worse", [SOUND, SILENT, Standing(Step.STILLS, Cause.LINK)])
def test_a_lost_picture_is_said_at_once(worse: Standing) -> None:
    assert said([(0, FULL), (1, worse)])[0] == (1, worse)


def test_better_is_said_when_it_has_lasted() -> None:
    assert said([(0, SOUND), (5, FULL)])[1] == (5 + BETTER_SECONDS, FULL)
    assert said([(0, SOUND), (5, FULL), (6, SOUND), (7, REDUCED), (8, FULL)])[1:] == [(9, FULL)]


def test_a_picture_that_is_smaller_for_a_moment_is_no_news() -> None:
    assert said([(0, FULL), (1, REDUCED), (1.5, FULL)]) == []
    assert said([(0, FULL), (1, REDUCED)]) == [(1 + REDUCED_SECONDS, REDUCED)]


def test_a_new_link_is_given_time() -> None:
    assert said([(0, REDUCED)], began=0.0) == [(MEASURING_SECONDS, REDUCED)]
    assert said([(0, REDUCED), (2, FULL)], began=0.0) == []


def test_a_weak_publisher_is_told_from_one_that_begins() -> None:
    weak = Standing(Step.FULL, Cause.PUBLISHER)
    assert said([(0, weak)]) == [(PUBLISHER_SECONDS, weak)]
    assert said([(0, weak), (4, FULL)]) == []


def test_whose_trouble_it_is() -> None:
    def because(reason: Reason) -> Choice:
        return Choice(Forward(Option(0)), reason, 1.0, 1.0, 0)

    assert standing(Step.FULL, [because(Reason.FULL)], server_busy=True) == FULL
    assert standing(Step.FULL, [because(Reason.PUBLISHER)], server_busy=False).cause is Cause.PUBLISHER
    assert standing(Step.REDUCED, [because(Reason.LINK)], server_busy=False) == REDUCED
    assert standing(Step.REDUCED, [because(Reason.LINK)], server_busy=True).cause is Cause.SERVER
    assert standing(Step.SILENT, [], server_busy=True) == SILENT
