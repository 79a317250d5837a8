"""What layers take, from meters and from custom."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mediaserver.layers import Encoding
from mediaserver.layers.rates import HEADERS, SPEECH, figures, smooth, usual
from tests.mediaserver.layers.viewing import encodings, picture, voice


def test_a_varying_rate_is_smoothed_and_a_jump_is_taken_at_once() -> None:
    rates = smooth(None, picture(ladder=((100e3, 160e3),)), 0.0)
    for tick in range(1, 101):
        swing = 1.1 if tick % 2 else 0.9
        rates = smooth(rates, picture(ladder=((100e3 * swing, 160e3 * swing),)), tick / 10)
    assert rates.values[0][0][1] == pytest.approx(160e3, rel=0.02)
    jumped = smooth(rates, picture(ladder=((200e3, 320e3),)), 10.1)
    assert jumped.values[0][0] == (200e3, 320e3)


def test_the_meters_tell_how_many_temporal_layers_there_are() -> None:
    rates = smooth(None, picture(ladder=((90e3, 160e3, 160e3, 160e3), (500e3, 500e3, 500e3, 500e3))), 0.0)
    assert [len(matrix[0]) for matrix in rates.values] == [2, 1]


def test_an_unknown_rate_is_the_usual_one_of_its_source() -> None:
    demand = picture(ladder=((0.0,), (0.0,), (0.0,)))
    rates = smooth(None, demand, 0.0)
    assert figures(rates, demand, 1) == ((500_000 * HEADERS,),)
    assert usual(picture(source="monitor", ladder=((0.0,),)), 0) < usual(
        picture(source="ultrasound", ladder=((0.0,),)), 0
    )
    assert usual(voice(), 0) == SPEECH


def test_a_young_layer_counts_at_least_as_usual_and_an_old_one_as_measured() -> None:
    young = replace(picture(), encodings=(Encoding(((3e3, 5e3),), settled=False), *encodings()[1:]))
    assert figures(smooth(None, young, 0.0), young, 0) == ((150_000 * HEADERS * 0.6, 150_000 * HEADERS),)
    old = picture(ladder=((3e3, 5e3),))
    assert figures(smooth(None, old, 0.0), old, 0) == ((3e3, 5e3),)


def test_a_publisher_that_was_restrained_counts_with_what_it_could_send() -> None:
    demand = replace(
        picture(), encodings=(Encoding(((400e3,),), flows=False, dormant=True, potential=900_000),)
    )
    assert figures(smooth(None, demand, 0.0), demand, 0)[-1][-1] == 900_000


def test_a_layer_that_stops_keeps_its_rate() -> None:
    demand = picture(ladder=((105e3, 165e3),))
    rates = smooth(None, demand, 0.0)
    stopped = replace(demand, encodings=(Encoding(((0.0, 0.0),), flows=False),))
    assert smooth(rates, stopped, 1.0).values == rates.values


def test_another_number_of_layers_begins_anew() -> None:
    rates = smooth(None, picture(ladder=((100e3, 160e3),)), 0.0)
    assert smooth(rates, picture(ladder=((50e3, 90e3, 160e3),)), 0.1).values[0][0] == (50e3, 90e3, 160e3)
