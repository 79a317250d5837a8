"""Hysteresis: what flickers is no news, what lasts is told once, what is over is told once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mediaserver.alerts.lasting import CLEAR_SECONDS, Change, Cleared, Lasting, Raised
from mediaserver.operations.model import Evidence, Finding, Severity


def finding(severity: Severity = "hurt", participant: str = "p") -> Finding:
    evidence = (Evidence(measure="loss_before", value=0.2, limit=0.1, unit="ratio"),)
    return Finding(cause="viewer_downlink", severity=severity, evidence=evidence, participant=participant)


def play(seconds: str, lasting: Lasting | None = None) -> list[tuple[int, Change]]:
    """``h`` hurt, ``w`` watch, ``.`` nothing; a letter a second."""
    lasting = lasting or Lasting()
    words: dict[str, list[Finding]] = {"h": [finding()], "w": [finding("watch")], ".": []}
    return [
        (second, change)
        for second, letter in enumerate(seconds)
        for change in lasting.second(words[letter], second * 1000)
    ]


def test_three_of_five_seconds_raise_and_ten_without_clear() -> None:
    changes = play("h.h.h" + "." * CLEAR_SECONDS)
    assert [(second, type(change)) for second, change in changes] == [(4, Raised), (14, Cleared)]
    assert changes[0][1].finding.since_ms == 0


def test_two_of_five_are_no_news() -> None:
    assert play("h..h..h..h..h..") == []


def test_what_is_back_within_ten_seconds_has_lasted() -> None:
    changes = play("hhh" + "." * 9 + "hhh" + "." * 10)
    assert [type(change) for _, change in changes] == [Raised, Cleared]


def test_getting_worse_is_news_and_getting_better_waits() -> None:
    lasting = Lasting()
    changes = play("wwwhhh", lasting)
    assert [(second, change.finding.severity) for second, change in changes] == [(2, "watch"), (5, "hurt")]
    play("www", lasting)
    assert lasting.current()[0].severity == "hurt"


def test_the_end_of_a_room_ends_what_lasts() -> None:
    lasting = Lasting()
    play("hhh", lasting)
    assert [type(change) for change in lasting.end()] == [Cleared]
    assert lasting.current() == []
    assert lasting.end() == []


@given(st.text(alphabet="hw.", max_size=120))
def test_raised_and_cleared_alternate_and_a_minute_holds_few(seconds: str) -> None:
    changes = [change for _, change in play(seconds + "." * CLEAR_SECONDS)]
    raised = False
    for change in changes:
        if isinstance(change, Cleared):
            assert raised
            raised = False
        else:
            # Raised again while raised means that it became worse.
            assert not raised or change.finding.severity == "hurt"
            raised = True
    assert not raised
    assert sum(isinstance(change, Cleared) for change in changes) <= len(seconds) / CLEAR_SECONDS + 1
