"""Verdicts by type of source: the right word, not at the first glance, and gone when all is well again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mediaserver.events import SourceType
from mediaserver.quality.judge import MANNERS, Judge
from mediaserver.quality.look import Look
from signalling.demo.marks import Picture
from tests.mediaserver.quality import material

Change = Callable[[Picture], Picture]
WRONG: list[tuple[str, Change]] = [
    ("black", material.dark),
    ("over_exposed", lambda picture: material.lit(picture, 5)),
    ("blurred", material.blurred),
    ("corrupt", lambda picture: material.green(picture, 0.4)),
    ("test_pattern", lambda _: material.bars()),
]


def fed(judge: Judge, looks: list[Look], begin: float = 0.0, every: float = 2.0) -> list[str | None]:
    return [judge.look(begin + number * every, look) for number, look in enumerate(looks)]


@pytest.mark.parametrize("codec", ["VP8", "H264"])
@pytest.mark.parametrize(("verdict", "change"), WRONG)
def test_what_is_wrong_is_told_at_the_second_look_and_no_longer_than_it_lasts(
    verdict: str, change: Change, codec: str
) -> None:
    pictures = material.film()
    judge = Judge("endoscope")
    assert fed(judge, material.looks(pictures[:2], codec)) == [None, None]
    assert fed(judge, material.looks([change(one) for one in pictures[:3]], codec), 4) == [
        None,
        verdict,
        verdict,
    ]
    assert fed(judge, material.looks(pictures[3:5], codec), 10) == [verdict, None]


@pytest.mark.parametrize(
    ("source_type", "pictures"), [("endoscope", material.endoscope), ("monitor", material.monitor)]
)
def test_the_synthetic_theatre_is_well(
    source_type: SourceType, pictures: Callable[[int], list[Picture]]
) -> None:
    for codec in ("VP8", "H264"):
        assert set(fed(Judge(source_type), material.looks(pictures(10), codec), every=10)) == {None}


@pytest.mark.parametrize("source_type", ["endoscope", "ultrasound", "monitor", "room"])
def test_a_still_is_told_when_its_kind_of_source_never_stands_so_long(source_type: SourceType) -> None:
    still = material.looks([material.film()[0]])[0]
    patience = MANNERS[source_type].still_seconds
    judge = Judge(source_type)
    if source_type == "monitor":
        still = material.looks([material.monitor(1)[0]])[0]
    assert judge.look(0, still) is None
    assert judge.look(patience - 1, still) is None
    assert judge.look(patience, still) == "unchanged"
    moved = Look(
        **{name: getattr(still, name) for name in still.__slots__ if name != "thumbnail"},
        thumbnail=np.roll(still.thumbnail, 12, axis=1),
    )
    assert judge.look(patience + 1, moved) is None


def test_a_screen_may_be_white_and_an_ultrasound_soft() -> None:
    white = material.looks([material.lit(one, 5) for one in material.film()])
    soft = material.looks([material.blurred(one) for one in material.film()])
    for looks in (white, soft):
        assert set(fed(Judge("ultrasound"), looks)) == {None}


def test_a_black_picture_that_stands_is_black() -> None:
    black = material.looks([np.zeros((720, 1280, 3), np.uint8)])[0]
    assert fed(Judge("endoscope"), [black] * 12, every=10)[-1] == "black"


def test_what_no_decoder_takes_is_corrupt_until_one_is_taken() -> None:
    judge = Judge("endoscope")
    first, second = material.looks(material.film()[:2])
    assert judge.unreadable() is None
    assert judge.unreadable() == "corrupt"
    assert judge.look(10, first) == "corrupt"
    assert judge.look(12, second) is None


def test_every_type_of_source_has_its_manner() -> None:
    for source_type in MANNERS:
        assert Judge(source_type).verdict is None
