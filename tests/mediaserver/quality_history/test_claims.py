"""Browser statistics are claims: bounded by type, limited in rate, old ones forgotten."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from mediaserver.cause.thresholds import FREEZE
from mediaserver.errors import LimitReached
from mediaserver.quality_history.claims import (
    MAX_FREEZES,
    MESSAGE_BURST,
    SKEWS,
    STALE_SECONDS,
    Claim,
    Claims,
    LinkClaim,
    SourceClaim,
    ViewClaim,
)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (LinkClaim, '{"loss": 1.01}'),
        (LinkClaim, '{"round_trip_ms": -1}'),
        (LinkClaim, '{"round_trip_ms": 1e9}'),
        (LinkClaim, '{"relayed": "yes"}'),
        (LinkClaim, '{"loss": NaN}'),
        (SourceClaim, '{"publication": ""}'),
        (SourceClaim, '{"publication": "p", "width": 20000}'),
        (SourceClaim, '{"publication": "p", "limited_by": "rights"}'),
        (ViewClaim, '{"publication": "p", "freezes": 5000}'),
        (ViewClaim, '{"publication": "p", "surprise": 1}'),
    ],
)
def test_what_is_out_of_bounds_is_refused(kind: type[msgspec.Struct], text: str) -> None:
    with pytest.raises(msgspec.MsgspecError):
        msgspec.json.decode(text, type=kind)


def test_too_many_are_refused_and_counted() -> None:
    claims, told = Claims(), Counter[str]()
    for _ in range(int(MESSAGE_BURST)):
        claims.take(Claim(clock_ms=0), 0.0, 0, told)
    with pytest.raises(LimitReached):
        claims.take(Claim(clock_ms=0), 0.0, 0, told)
    claims.take(Claim(clock_ms=0), 2.0, 0, told)
    assert told == {"taken": 6, "too_often": 1}


def test_the_clock_is_compared_and_old_claims_say_nothing() -> None:
    claims = Claims()
    assert (claims.age(0.0), claims.current(0.0), claims.skew_seconds(0.0)) == (None, None, None)
    claims.take(Claim(clock_ms=305_000), 10.0, 5_000, Counter())
    assert claims.skew_seconds(10.0) == 300.0
    assert claims.skew_seconds(10.1 + STALE_SECONDS) is None
    assert claims.current(10.0 + STALE_SECONDS) is not None
    assert claims.current(10.1 + STALE_SECONDS) is None


def test_a_message_that_was_long_under_way_says_nothing_of_the_clock() -> None:
    """Half a minute of good messages, half a minute of nothing, and then what waited, all at once."""
    claims, told, seen = Claims(), Counter[str](), []
    for at in range(0, 30, 2):
        claims.take(Claim(clock_ms=1000 * at - 40), float(at), 1000 * at, told)
    for sent in range(30, 40, 2):
        claims.take(Claim(clock_ms=1000 * sent), 60.0, 60_000, told)
        seen.append(claims.skew_seconds(60.0))
    assert seen == [-0.04] * 5
    # A clock that is really behind is told as soon as a minute has passed, one that is ahead at once.
    for at in range(62, 62 + 2 * SKEWS, 2):
        claims.take(Claim(clock_ms=1000 * at - 5000), float(at), 1000 * at, told)
    assert claims.skew_seconds(120.0) == -5.0
    claims.take(Claim(clock_ms=130_000), 124.0, 124_000, told)
    assert claims.skew_seconds(124.0) == 6.0


def test_freezes_add_up_until_they_are_taken() -> None:
    claims = Claims()
    for at in (0.0, 2.0):
        view = ViewClaim(publication="p", freezes=2, freeze_ms=500)
        claims.take(Claim(clock_ms=0, views=(view,)), at, 0, Counter())
    assert claims.take_freezes("p", 1.0) == (4, 0.5)
    assert claims.take_freezes("p", 1.0) == (0, 0.5)
    assert claims.take_freezes("p", 1.0) == (0, 0.0)
    for at in range(3, 8):
        view = ViewClaim(publication="p", freezes=MAX_FREEZES)
        claims.take(Claim(clock_ms=0, views=(view,)), at, 0, Counter())
    assert claims.take_freezes("p", 1.0)[0] == MAX_FREEZES


def test_a_freeze_is_spread_over_the_seconds_that_its_message_tells_of() -> None:
    """0.6 of two seconds are 0.3 of each: to be watched, and no picture that is gone."""
    claims = Claims()
    taken: list[float] = []
    for second in range(20):
        if second % 2 == 0:
            view = ViewClaim(publication="p", freezes=1, freeze_ms=600)
            claims.take(Claim(clock_ms=0, views=(view,)), float(second), 0, Counter())
        taken.append(claims.take_freezes("p", 1.0)[1])
    assert taken == pytest.approx([0.3] * 20)
    assert all(FREEZE.watch < one < FREEZE.hurt for one in taken)


def test_a_path_that_broke_went_where_it_last_did() -> None:
    claims, told = Claims(), Counter[str]()
    seen = []
    for at, relayed in enumerate((None, True, None, False)):
        claims.take(Claim(clock_ms=0, subscribe=LinkClaim(relayed=relayed)), 2.0 * at, 0, told)
        seen.append(claims.relayed("subscribe"))
    claims.take(Claim(clock_ms=0), 8.0, 0, told)
    assert [*seen, claims.relayed("subscribe")] == [None, True, True, False, False]
    assert claims.relayed("publish") is None
