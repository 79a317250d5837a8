"""How old a picture is on its screen: from the parts of its way, and not at all while one is not known."""

from __future__ import annotations

import pytest

from mediaserver.quality_history.claims import ViewClaim
from mediaserver.quality_history.delay import arrivals, delay
from tests.mediaserver.seconds import leg, observer, source, surgeon

SEEN = ViewClaim(publication="scope", buffer_ms=80, decode_ms=5)


def test_all_parts_of_the_way_count() -> None:
    arrived = arrivals([
        surgeon(up=leg(round_trip_seconds=0.1), sources=(source(encode_seconds=0.01),)), observer(),
    ])  # fmt: skip
    assert arrived == {"scope": pytest.approx(0.06)}
    down = leg(round_trip_seconds=0.2, queue_delay_seconds=0.03)
    assert delay(arrived["scope"], down, SEEN) == pytest.approx(0.06 + 0.03 + 0.1 + 0.085)


def test_what_is_not_known_is_not_guessed() -> None:
    assert arrivals([surgeon(up=leg(round_trip_seconds=None)), surgeon(up=None)]) == {}
    way = leg(round_trip_seconds=0.2)
    assert delay(None, way, SEEN) is None
    assert delay(0.1, None, SEEN) is None
    assert delay(0.1, leg(round_trip_seconds=None), SEEN) is None
    assert delay(0.1, way, None) is None
    assert delay(0.1, way, ViewClaim(publication="scope")) is None
