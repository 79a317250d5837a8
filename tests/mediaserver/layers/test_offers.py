"""What is on offer is remembered between decisions."""

from __future__ import annotations

from dataclasses import replace

from mediaserver.layers import Encoding
from mediaserver.layers.offers import NOTHING_TO_PAY, REFRESH_SECONDS, on_offer
from tests.mediaserver.layers.viewing import ALL, picture, voice


def test_meters_are_read_twice_a_second_and_when_anything_changes() -> None:
    first = on_offer(None, picture(), 0.0, chosen=True)
    assert on_offer(first, picture(), REFRESH_SECONDS / 2, chosen=True) is first
    assert on_offer(first, picture(), REFRESH_SECONDS, chosen=True) is not first
    assert on_offer(first, picture(cap=0), REFRESH_SECONDS / 2, chosen=True) is not first
    assert on_offer(first, picture(), REFRESH_SECONDS / 2, chosen=False) is not first


def test_what_is_hidden_offers_nothing_and_what_does_not_flow_costs_nothing() -> None:
    assert on_offer(None, picture(hidden=True), 0.0, chosen=False).rungs == ()
    assert on_offer(None, picture(muted=True), 0.0, chosen=False).rungs == NOTHING_TO_PAY
    silent = replace(picture(), encodings=tuple(Encoding(flows=False) for _ in range(3)))
    assert on_offer(None, silent, 0.0, chosen=False).rungs == NOTHING_TO_PAY


def test_sound_has_one_rung() -> None:
    offer = on_offer(None, voice(), 0.0, chosen=False)
    assert [rung.rate for rung in offer.rungs] == [50_000]
    assert offer.most + on_offer(None, picture(), 0.0, chosen=True).most >= ALL


def test_what_would_come_if_asked_for_is_known() -> None:
    demand = replace(picture(), encodings=(*picture().encodings[:2], Encoding(flows=False, dormant=True)))
    offer = on_offer(None, demand, 0.0, chosen=True)
    assert (offer.rungs[-1].sending.option.encoding, offer.asked[-1].sending.option.encoding) == (1, 2)
