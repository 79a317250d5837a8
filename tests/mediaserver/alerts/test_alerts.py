"""Alerts: one a cause and room in five minutes, and nothing is left open."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from mediaserver.alerts.alerts import MAX_TOLD, QUIET_MS, RETURN_MS, WATCH_MS, Alerts, News
from mediaserver.clinical import ClinicalClass
from mediaserver.operations.model import Alert, Finding, Severity
from mediaserver.policy import Role

SURGERY = ClinicalClass.SURGERY


def numbered() -> Alerts:
    numbers = itertools.count(1)
    return Alerts(lambda: f"alert-{next(numbers)}")


def finding(
    severity: Severity = "hurt", participant: str = "p", since_ms: int = 0, role: Role = Role.OBSERVER
) -> Finding:
    return Finding(
        cause="viewer_downlink",
        severity=severity,
        evidence=(),
        participant=participant,
        role=role,
        since_ms=since_ms,
    )


def told(news: list[News]) -> list[str | None]:
    return [one.told for one in news]


def test_many_hurt_legs_of_one_cause_are_one_alert() -> None:
    alerts = numbered()
    many = [finding(participant=str(index)) for index in range(20)]
    assert told(alerts.second("r", SURGERY, many, 1000)) == ["raised"]
    assert alerts.second("r", SURGERY, many[1:], 2000) == []
    assert told(alerts.second("r", SURGERY, [], 3000)) == ["cleared"]
    assert alerts.open() == []


def test_what_is_to_be_watched_waits_for_half_a_minute() -> None:
    alerts = numbered()
    assert alerts.second("r", SURGERY, [finding("watch")], WATCH_MS - 1) == []
    assert told(alerts.second("r", SURGERY, [finding("watch")], WATCH_MS)) == ["raised"]


def test_one_that_comes_to_hurt_is_told_again_once() -> None:
    alerts = numbered()
    alerts.second("r", SURGERY, [finding("watch")], WATCH_MS)
    (worse,) = alerts.second("r", SURGERY, [finding()], WATCH_MS + 1000)
    assert (worse.alert.id, worse.alert.severity, worse.told) == ("alert-1", "hurt", "raised")
    assert alerts.second("r", SURGERY, [finding("watch")], WATCH_MS + 2000) == []
    assert alerts.second("r", SURGERY, [finding("hurt")], WATCH_MS + 3000) == []
    assert told(alerts.second("r", SURGERY, [], WATCH_MS + 4000)) == ["cleared"]
    assert told(alerts.second("r", SURGERY, [finding()], WATCH_MS + 5000)) == [None]


def test_one_that_was_over_and_comes_back_to_hurt_is_told_with_its_end() -> None:
    alerts = numbered()
    alerts.second("r", SURGERY, [finding("watch")], WATCH_MS)
    assert told(alerts.second("r", SURGERY, [], WATCH_MS + 1000)) == ["cleared"]
    assert told(alerts.second("r", SURGERY, [finding()], WATCH_MS + 2000)) == [None]
    assert told(alerts.second("r", SURGERY, [finding()], WATCH_MS + 3000)) == ["raised"]
    assert told(alerts.second("r", SURGERY, [], WATCH_MS + 4000)) == ["cleared"]


def test_the_same_again_within_five_minutes_is_counted_and_not_told() -> None:
    alerts = numbered()
    alerts.second("r", SURGERY, [finding()], 0)
    alerts.second("r", SURGERY, [], 1000)
    (again,) = alerts.second("r", SURGERY, [finding()], 2000)
    assert (again.told, again.alert.repeats, again.alert.cleared_ms) == (None, 1, None)
    assert told(alerts.second("r", SURGERY, [], 3000)) == [None]


def test_what_still_stands_after_five_minutes_is_told_anew_and_the_old_one_ends() -> None:
    alerts = numbered()
    alerts.second("r", SURGERY, [finding()], 0)
    alerts.second("r", SURGERY, [], 1000)
    alerts.second("r", SURGERY, [finding()], 2000)
    old, new = alerts.second("r", SURGERY, [finding()], QUIET_MS)
    assert (old.alert.id, old.alert.cleared_ms, old.told) == ("alert-1", QUIET_MS, None)
    assert (new.alert.id, new.told) == ("alert-2", "raised")


def test_rooms_and_causes_are_told_apart() -> None:
    alerts = numbered()
    assert told(alerts.second("a", SURGERY, [finding()], 0)) == ["raised"]
    assert told(alerts.second("b", SURGERY, [finding()], 0)) == ["raised"]
    assert told(
        alerts.second("a", SURGERY, [finding(), Finding(cause="clock", severity="hurt", evidence=())], 1)
    ) == ["raised"]
    assert len(alerts.open()) == 3
    assert alerts.raised == {("viewer_downlink", "hurt"): 2, ("clock", "hurt"): 1}


MENTOR = finding(participant="m", role=Role.SPECIALIST)


def test_an_observers_alert_does_not_hide_the_mentors() -> None:
    alerts = numbered()
    alerts.second("r", SURGERY, [finding()], 0)
    assert alerts.second("r", SURGERY, [MENTOR, finding()], QUIET_MS - 1) == []
    old, new = alerts.second("r", SURGERY, [MENTOR, finding()], QUIET_MS)
    assert (old.alert.id, old.alert.cleared_ms, old.told) == ("alert-1", QUIET_MS, "cleared")
    assert (new.alert.id, new.alert.participant, new.told) == ("alert-2", "m", "raised")
    assert alerts.second("r", SURGERY, [MENTOR, finding()], 2 * QUIET_MS) == []
    assert alerts.second("r", SURGERY, [finding()], 3 * QUIET_MS) == [], "the mentor is well, another is not"


def test_what_is_merely_to_be_watched_does_not_take_the_place_of_what_hurts() -> None:
    alerts = numbered()
    alerts.second("r", SURGERY, [finding()], 0)
    mild = finding("watch", "m", role=Role.SPECIALIST)
    assert alerts.second("r", SURGERY, [mild], QUIET_MS) == []


def test_a_test_room_is_nobodys_alert() -> None:
    alerts = numbered()
    assert alerts.second("precall.1", ClinicalClass.TEST, [finding()], 0) == []
    assert (alerts.open(), alerts.raised) == ([], {})


def test_no_more_are_told_than_anybody_reads_but_of_surgeries_and_the_server() -> None:
    alerts = numbered()
    consult = ClinicalClass.CONSULT
    for room in range(MAX_TOLD):
        assert told(alerts.second(f"{room}", consult, [finding()], room)) == ["raised"]
    assert told(alerts.second("late", consult, [finding()], 100)) == [None]
    assert alerts.withheld == 1
    assert told(alerts.second("theatre", SURGERY, [finding()], 101)) == ["raised"]
    assert told(alerts.second(None, None, [finding()], 102)) == ["raised"]
    mild = finding("watch", since_ms=-WATCH_MS)
    for worse in (mild, finding()):
        assert told(alerts.second("worse", consult, [worse], 103)) == [None]
    assert alerts.withheld == 3
    assert told(alerts.second("worse", consult, [], 104)) == [None]
    assert told(alerts.second("late", consult, [], 105)) == [None], "nobody was told that it began"
    assert len(alerts.open()) == MAX_TOLD + 2
    assert told(alerts.second("later", consult, [finding()], QUIET_MS)) == ["raised"]


def test_a_crash_loop_tells_no_more_than_one_process_does() -> None:
    stored: dict[str, Alert] = {}
    heard: list[tuple[int, str | None]] = []
    for start_ms in range(0, QUIET_MS, 20_000):  # begins anew every twenty seconds, hurt from the third on
        alerts = Alerts()
        news = alerts.take_up(list(stored.values()), start_ms - 1000, start_ms)
        for at_ms in range(start_ms, start_ms + 20_000, 1000):
            lasting = [finding()] if at_ms >= start_ms + 3000 else []
            news += alerts.second("r", SURGERY, lasting, at_ms) + alerts.forget(at_ms)
        stored |= {one.alert.id: one.alert for one in news}
        heard += [(start_ms, one.told) for one in news if one.told]
    assert heard == [(0, "raised")]
    assert [one.cleared_ms for one in stored.values()] == [None]


def test_what_does_not_come_back_after_a_crash_is_over_in_a_minute() -> None:
    before = numbered()
    standing = [one.alert for room in "ab" for one in before.second(room, SURGERY, [finding()], 0)]
    alerts = numbered()
    assert alerts.take_up(standing, 1000, 2000) == []
    assert len(alerts.open()) == 2
    assert alerts.second("a", SURGERY, [], 2000 + RETURN_MS - 1) == alerts.forget(2000 + RETURN_MS - 1) == []
    assert told(alerts.second("a", SURGERY, [], 2000 + RETURN_MS)) == ["cleared"]
    assert told(alerts.forget(2000 + RETURN_MS)) == ["cleared"], "whose room never stood again"
    assert alerts.open() == []


def test_what_was_cleared_before_a_crash_is_remembered_for_five_minutes() -> None:
    before = numbered()
    before.second("r", SURGERY, [finding()], 0)
    [over] = before.second("r", SURGERY, [], 1000)
    for now_ms, expected in ((2000, None), (QUIET_MS, "raised")):
        alerts = numbered()
        assert alerts.take_up([over.alert], 1000, now_ms) == []
        assert told(alerts.second("r", SURGERY, [finding()], now_ms)) == [expected]


def test_what_stood_for_long_ended_with_its_process() -> None:
    before = numbered()
    [old] = before.second("r", SURGERY, [finding()], 0)
    [news] = numbered().take_up([old.alert], 400_000, 500_000)
    assert (news.told, news.alert.cleared_ms) == ("cleared", 400_000)


@given(st.lists(st.tuples(st.booleans(), st.integers(500, 60_000)), max_size=60))
def test_never_two_in_five_minutes_and_none_left_open(steps: list[tuple[bool, int]]) -> None:
    alerts = numbered()
    at_ms, raised_at, stored = 0, [], dict[str, Alert]()
    for present, wait in [*steps, (False, 1)]:
        at_ms += wait
        for one in alerts.second("r", SURGERY, [finding()] if present else [], at_ms):
            stored[one.alert.id] = one.alert
            if one.told == "raised":
                raised_at.append(at_ms)
        assert alerts.forget(at_ms) == []
    assert all(later - earlier >= QUIET_MS for earlier, later in itertools.pairwise(raised_at))
    assert all(alert.cleared_ms is not None for alert in stored.values())
