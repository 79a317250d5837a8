"""Who gets what of a link."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from mediaserver.layers import Forward, Link, Option
from mediaserver.layers.granting import Budget, Claim, Division, divide
from mediaserver.layers.proof import Failure, History, Memory
from mediaserver.layers.rungs import Rung
from tests.mediaserver.layers.viewing import steady


def claim(
    *rates: float,
    rank: int = 1,
    current: int = -1,
    audio: bool = False,
    face: bool = False,
    chosen: bool = False,
) -> Claim:
    def place(index: int) -> tuple[int, int]:
        if audio:
            return 0, 0
        if face:
            return (3, 0) if index == 0 else (6, index)
        return 2 + 2 * index, 0

    rungs = [Rung(Forward(Option(index)), rate, index, place(index)) for index, rate in enumerate(rates)]
    return Claim(rungs, current, rank, audio, chosen)


def budget(
    amount: float,
    *,
    carried: float = 0.0,
    history: History | None = None,
    failure: Failure | None = None,
    start: float = 0.0,
    link: Link | None = None,
    trial: bool = False,
    moving: float | None = None,
) -> Budget:
    return Budget(
        keep=amount,
        keep_moving=amount if moving is None else moving,
        carried=carried,
        free=min(carried, amount),
        start=start,
        usable=1.0,
        history=((math.inf, amount),) if history is None else history,
        memory=Memory(failure=failure),
        link=link or steady(int(amount)),
        now=100.0,
        trial=trial,
    )


def granted(claims: Sequence[Claim], amount: float) -> list[int]:
    return divide(claims, budget(amount)).granted


def test_the_chosen_pictures_lowest_rung_alone_outlasts_what_is_there() -> None:
    both = [claim(10, 50, current=0, chosen=True), claim(10, 50, current=0, rank=2)]
    assert divide(both, budget(5, moving=10)).granted == [0, -1]
    assert divide(both, budget(5, moving=9)).granted == [-1, -1]
    higher = [claim(10, 50, current=1, chosen=True)]
    assert divide(higher, budget(5, moving=50)).granted == [0]


def test_everybodys_lowest_comes_before_anybodys_second() -> None:
    claims = [claim(10, 50, rank=1), claim(10, 50, rank=2), claim(10, 50, rank=3)]
    assert granted(claims, 9) == [-1, -1, -1]
    assert granted(claims, 15) == [0, -1, -1]
    assert granted(claims, 30) == [0, 0, 0]
    assert granted(claims, 75) == [1, 0, 0]
    assert granted(claims, 150) == [1, 1, 1]


def test_faces_climb_last() -> None:
    claims = [claim(10, 20, rank=5, face=True), claim(10, 50, 100, rank=1)]
    assert granted(claims, 60) == [0, 1]
    assert granted(claims, 111) == [0, 2]
    assert granted(claims, 120) == [1, 2]


def test_what_does_not_fit_is_left_out_and_the_rest_may_still_fit() -> None:
    assert granted([claim(500, rank=1), claim(10, 20, rank=2)], 100) == [-1, 1]


def test_no_picture_while_somebody_cannot_be_heard() -> None:
    claims = [claim(50, rank=0, audio=True), claim(50, rank=1, audio=True), claim(5, rank=1)]
    assert granted(claims, 104) == [0, 0, -1]
    assert granted(claims, 99) == [0, -1, -1]
    assert granted(claims, 1) == [0, -1, -1], "the first voice always"


def test_what_is_sent_stays_as_long_as_it_fits_and_more_needs_proof() -> None:
    wavering: History = ((99.95, 60.0), (math.inf, 100.0))
    division = divide([claim(10, 90, current=0)], budget(100, history=wavering))
    assert (division.granted, division.settling) == ([0], [True])
    assert 100.0 < division.proven < 100.1
    held = divide([claim(10, 90, current=1)], budget(100, history=wavering))
    assert held.granted == [1]
    assert divide([claim(10, 90, current=1)], budget(89)).granted == [0]


def test_nobody_takes_what_somebody_more_important_is_proving() -> None:
    wavering: History = ((99.95, 60.0), (math.inf, 100.0))
    claims = [claim(10, 80, rank=1, current=0), claim(10, 40, rank=2, current=0)]
    assert divide(claims, budget(100, history=wavering)).granted == [0, 0]


def test_dividing_anew_what_is_sent_already_needs_no_proof() -> None:
    wavering: History = ((99.95, 60.0), (math.inf, 100.0))
    swap = [claim(10, 80, rank=0, current=0), claim(10, 80, rank=1, current=1)]
    assert divide(swap, budget(100, history=wavering, carried=90)).granted == [1, 0]


def test_as_much_as_failed_needs_a_longer_proof() -> None:
    seconds_ago: History = ((97.0, 60.0), (math.inf, 100.0))
    failure = Failure(90, 1, 96.0)
    climbing = [claim(10, 50, 90, current=0)]
    assert divide(climbing, budget(100, history=seconds_ago)).granted == [2]
    division = divide(climbing, budget(100, history=seconds_ago, failure=failure))
    assert (division.granted, division.settling) == ([1], [True])
    assert division.proven == 102.0


def test_the_first_picture_begins_a_little_above_the_first_estimate() -> None:
    claims = [claim(50, rank=0, audio=True), claim(60, rank=1, chosen=True), claim(60, rank=2)]
    assert divide(claims, budget(100, start=120)).granted == [0, 0, -1]


def test_one_rung_may_be_tried() -> None:
    claims = [claim(50, rank=0, audio=True), claim(10, 200, 300, rank=1), claim(400, rank=2)]
    division = divide(claims, budget(100, trial=True))
    assert (division.granted, division.tried) == ([0, 0, 0], 2), "the first in order that does not fit"
    assert divide(claims[:2], budget(100, trial=True)).granted == [0, 1]


Ladders = st.lists(
    st.tuples(st.lists(st.integers(1, 100), min_size=1, max_size=4), st.integers(1, 4), st.booleans()),
    min_size=1,
    max_size=6,
)


def claims_of(ladders: Sequence[tuple[list[int], int, bool]]) -> list[Claim]:
    return [
        claim(*[float(sum(steps[: n + 1])) for n in range(len(steps))], rank=rank, face=face)
        for steps, rank, face in ladders
    ]


@given(Ladders, st.integers(0, 1_000), st.integers(0, 1_000))
def test_more_capacity_never_takes_from_what_comes_earlier(
    ladders: list[tuple[list[int], int, bool]], one: int, other: int
) -> None:
    claims = claims_of(ladders)
    low, high = sorted((one, other))

    def taken(division: Division) -> list[bool]:
        # In the order in which they are offered: with all capacity everything is granted in that order.
        everything = divide(claims, budget(1e9)).order
        levels = dict.fromkeys(range(len(claims)), -1)
        outcome = []
        for index in everything:
            levels[index] += 1
            outcome.append(division.granted[index] >= levels[index])
        return outcome

    assert taken(divide(claims, budget(low))) <= taken(divide(claims, budget(high)))


@given(Ladders, st.integers(0, 1_000))
def test_never_more_than_there_is(ladders: list[tuple[list[int], int, bool]], amount: int) -> None:
    claims = claims_of(ladders)
    division = divide(claims, budget(amount))
    spent = sum(c.rungs[rung].rate for c, rung in zip(claims, division.granted, strict=True) if rung >= 0)
    assert division.spent == spent <= amount
