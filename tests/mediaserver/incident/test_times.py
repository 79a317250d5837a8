"""Moments in the zone of whoever reads, as people of the language write them."""

from __future__ import annotations

from mediaserver.incident.times import Times
from mediaserver.zones import VIETNAM, named

LATE_MS = 1_798_736_400_000
"""31 December 2026, 17:00 by UTC: midnight in Vietnam."""


def test_each_language_writes_a_day_its_way() -> None:
    assert Times("vi", VIETNAM, LATE_MS).moment(LATE_MS) == "01/01/2027 00:00:00"
    assert Times("en", VIETNAM, LATE_MS).moment(LATE_MS) == "2027-01-01 00:00:00"


def test_the_day_is_told_where_it_is_another_in_the_zone() -> None:
    vietnam, london = (Times("en", zone, LATE_MS) for zone in (VIETNAM, named("Europe/London")))
    assert vietnam.clock(LATE_MS + 1000) == "00:00:01"
    assert vietnam.clock(LATE_MS - 1000) == "2026-12-31 23:59:59"
    assert london.clock(LATE_MS - 1000) == "16:59:59"


def test_the_zone_is_told_as_of_the_day() -> None:
    assert Times("vi", VIETNAM, LATE_MS).distance() == "UTC+07:00"
    summer_ms = LATE_MS + 200 * 86_400_000
    assert Times("vi", named("Europe/London"), summer_ms).distance() == "UTC+01:00"
