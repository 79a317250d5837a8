"""One record of who reads a room in ten minutes, and never none."""

from __future__ import annotations

import pytest

from signalling import readings
from signalling.readings import QUIET_SECONDS, Readings


def test_a_reading_is_news_once_in_ten_minutes() -> None:
    seen = Readings()
    mine = ("operator-1", "theatre", "history")
    told = [at for at in range(0, 1300, 2) if seen.is_news(mine, float(at))]
    assert told == [0, 600, 1200]


def test_holders_rooms_and_kinds_are_told_apart() -> None:
    seen = Readings()
    for one in (("a", "r", "history"), ("b", "r", "history"), ("a", "s", "history"), ("a", "r", "report")):
        assert seen.is_news(one, 0.0)
        assert not seen.is_news(one, 1.0)


def test_what_does_not_fit_is_news_until_there_is_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings, "MAX_REMEMBERED", 2)
    seen = Readings()
    a, b, c = (("operator", room, "history") for room in "abc")
    assert [seen.is_news(one, 0.0) for one in (a, b, c, c, a)] == [True, True, True, True, False]
    assert [seen.is_news(c, QUIET_SECONDS + at) for at in (0.0, 1.0)] == [True, False]
