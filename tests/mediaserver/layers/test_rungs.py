"""Which options are worth choosing, and in which order."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from mediaserver.events import SourceType
from mediaserver.layers import Demand, Encoding, Forward, Option, Still
from mediaserver.layers.rates import smooth
from mediaserver.layers.rungs import RARE_STILL_SECONDS, STILL_SECONDS, Rung, is_clinical, ladder, most, rank
from tests.mediaserver.layers.viewing import LADDER, picture, voice

T3 = ((60e3, 105e3, 165e3), (200e3, 330e3, 540e3), (700e3, 1_100e3, 1_830e3))
SVC = (((50e3, 90e3, 150e3), (180e3, 300e3, 500e3), (600e3, 1_000e3, 1_700e3)),)


def rungs(demand: Demand, *, chosen: bool = True, dormant: bool = False) -> list[Rung]:
    return ladder(demand, smooth(None, demand, 0.0), chosen=chosen, dormant=dormant)


def moves(demand: Demand) -> list[tuple[int, int | None, int | None]]:
    options = [rung.sending.option for rung in rungs(demand) if isinstance(rung.sending, Forward)]
    return [(option.encoding, option.spatial, option.temporal) for option in options]


def test_the_operating_field_gives_up_size_before_motion() -> None:
    assert moves(picture()) == [(0, None, 0), (0, None, None), (1, None, None), (2, None, None)]


@pytest.mark.parametrize("source", ["monitor", "ultrasound"])
def test_what_must_be_read_gives_up_motion_before_size_and_is_never_moving_but_illegible(
    source: SourceType,
) -> None:
    assert moves(picture(source=source, ladder=T3)) == [(2, None, 0), (2, None, 1), (2, None, None)]
    still = rungs(picture(source=source, ladder=T3))[0].sending
    assert isinstance(still, Still)
    assert still.option.encoding == 2


def test_the_overhead_camera_balances() -> None:
    assert moves(picture(source="overhead")) == [
        *[(0, None, 0), (0, None, None), (1, None, 0)],
        *[(1, None, None), (2, None, 0), (2, None, None)],
    ]


def test_spatial_layers_of_one_encoding_are_options_too() -> None:
    demand = Demand(1, "video", "endoscope", (Encoding(SVC[0]),))
    assert moves(demand) == [(0, 0, 0), (0, 0, 1), (0, 0, None), (0, 1, None), (0, None, None)]


def test_each_rung_is_dearer_and_better_than_the_one_below() -> None:
    for source in ("endoscope", "overhead", "monitor", "room"):
        steps = rungs(picture(source=source, ladder=T3))
        assert all(a.rate < b.rate and a.worth < b.worth for a, b in pairwise(steps))


def test_an_encoding_that_costs_more_and_shows_less_is_no_option() -> None:
    squeezed = (*LADDER[:2], (240e3, 400e3))
    assert moves(picture(ladder=squeezed)) == [(0, None, 0), (0, None, None), (2, None, None)]


def test_one_encoding_has_stills_below_it() -> None:
    steps = rungs(picture(ladder=((2_000e3,),)))
    assert [type(step.sending) for step in steps] == [Still, Still, Forward]
    assert steps[1].rate == 2_000e3 / 4 / STILL_SECONDS


@pytest.mark.parametrize(
    ("source", "spatial", "whole"), [("endoscope", 0, 150e3), ("monitor", None, 1_700e3)]
)
def test_a_still_is_of_the_layer_that_its_source_keeps(
    source: SourceType, spatial: int | None, whole: float
) -> None:
    still = rungs(replace(picture(source=source), encodings=(Encoding(SVC[0]),)))[0]
    assert isinstance(still.sending, Still)
    assert still.sending.option == Option(0, spatial)
    assert still.rate == whole / 4 / 3


def test_stills_that_others_pay_for_are_rare_and_faces_have_none() -> None:
    for demand, chosen in ((picture(shared=True), True), (picture(), False)):
        still = rungs(demand, chosen=chosen)[0].sending
        assert isinstance(still, Still)
        assert still.interval_seconds == RARE_STILL_SECONDS
    assert all(isinstance(step.sending, Forward) for step in rungs(picture(source="room")))


def test_no_more_than_is_shown_and_at_least_what_comes() -> None:
    assert moves(picture(cap=1))[-1] == (1, None, None)
    low_gone = replace(picture(cap=0), encodings=(Encoding(flows=False), *picture().encodings[1:]))
    assert moves(low_gone)[-1] == (1, None, None)


def test_what_nobody_needed_can_be_asked_for() -> None:
    demand = replace(picture(), encodings=(*picture().encodings[:2], Encoding(flows=False, dormant=True)))
    assert rungs(demand)[-1].sending.option.encoding == 1
    assert rungs(demand, dormant=True)[-1].sending.option.encoding == 2
    assert most(demand, smooth(None, demand, 0.0)) > 1_700e3
    gone = replace(demand, encodings=(*demand.encodings[:2], Encoding(flows=False)))
    assert most(gone, smooth(None, gone, 0.0)) == 540e3


def test_the_order_of_importance() -> None:
    order = [
        picture(source="room", pinned=True),
        *[picture(source=source) for source in ("endoscope", "ultrasound", "overhead", "other", "room")],
    ]
    ranks = [rank(demand) for demand in order]
    assert ranks == sorted(set(ranks))
    assert rank(picture(source="monitor")) == rank(picture(source="ultrasound"))
    assert rank(voice()) < rank(voice(talkback=False))
    assert is_clinical(order[0])
    assert not is_clinical(order[-1])
