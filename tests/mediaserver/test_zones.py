"""Times are told in the zone asked for, in Vietnam's where this machine knows none of that name."""

from __future__ import annotations

import pytest

from mediaserver.zones import VIETNAM, iso, named

NEW_YEAR_MS = 1_798_761_600_123
"""Midnight of 1 January 2027 by UTC."""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("UTC", "2027-01-01T00:00:00.123+00:00"),
        ("Asia/Ho_Chi_Minh", "2027-01-01T07:00:00.123+07:00"),
        ("America/New_York", "2026-12-31T19:00:00.123-05:00"),
        ("Etc/GMT+3", "2026-12-31T21:00:00.123-03:00"),
        ("Asia/Atlantis", "2027-01-01T07:00:00.123+07:00"),
        ("Asia", "2027-01-01T07:00:00.123+07:00"),
    ],
)
def test_a_moment_is_told_in_a_named_zone(name: str, expected: str) -> None:
    assert iso(NEW_YEAR_MS, named(name)) == expected


def test_vietnam_is_seven_hours_ahead() -> None:
    assert iso(NEW_YEAR_MS, VIETNAM) == "2027-01-01T07:00:00.123+07:00"


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../UTC", "Asia/..", "a" * 33, "A/b/c/d", "UTC\n", "Đà/Nẵng"]
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        named(name)
