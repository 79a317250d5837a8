"""What is said of each leg, and when it is worth saying."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from mediaserver._dataplane import Stats
from mediaserver.adaptation import legs
from mediaserver.adaptation.meters import Downlink, Meters
from mediaserver.events import Quality, StandingChanged
from mediaserver.ids import ParticipantId
from mediaserver.layers import Choice, Forward, Link, Option, Pause, Reason, Sending, Step, Still
from mediaserver.layers.announcing import Cause, Standing
from tests.mediaserver.adaptation.watching import Snapshot, publication

LINK = Link(700_000, "steady", 0.012, inherent_loss=0.02, congestion_loss=0.01)


def quality(sending: Sending) -> Quality:
    standing = Standing(Step.STILLS, Cause.LINK)
    choice = Choice(sending, Reason.LINK, 1.0, 1.0, 0)
    downlink = Downlink(512_345.0, 0.123, jitter_seconds=0.0216)
    return legs.quality(standing, LINK, 0.0804, downlink, [(publication(), choice)], Meters())


def test_a_leg_in_figures() -> None:
    told = quality(Still(Option(0), 5.0))
    assert (told.step, told.cause) == ("stills", "link")
    assert (told.estimate_kbit, told.sent_kbit) == (700, 512)
    assert (told.rtt_ms, told.jitter_ms, told.queue_ms) == (80, 22, 12)
    assert (told.loss, told.repair_overhead) == (0.03, 0.12)
    assert (told.sources[0].layer, told.sources[0].still_seconds, told.sources[0].reason) == (0, 5.0, "link")
    assert quality(Forward(Option(2))).sources[0].layer == 2
    assert quality(Pause()).sources[0].layer is None


def test_a_standing_in_the_protocols_words() -> None:
    who = ParticipantId("a")
    said = legs.standing_changed(who, Standing(Step.SILENT, Cause.LINK))
    assert said == StandingChanged(who, "silent", "link")
    assert legs.standing_changed(who, Standing()) == StandingChanged(who, "full", None)


@pytest.mark.parametrize(
    ("change", "news"),
    [
        ({"estimate_kbit": 780}, False),
        ({"estimate_kbit": 850}, True),
        ({"sent_kbit": 9}, False),
        ({"loss": 0.035}, False),
        ({"loss": 0.05}, True),
        ({"rtt_ms": 100}, False),
        ({"rtt_ms": 120}, True),
        ({"jitter_ms": 60}, True),
        ({"queue_ms": 50}, True),
        ({"repair_overhead": 0.2}, True),
        ({"cause": "server"}, True),
        ({"sources": ()}, True),
    ],
)
def test_what_a_person_could_see_is_news(change: dict[str, object], news: bool) -> None:
    told = quality(Forward(Option(1)))
    assert legs.is_news(replace(told, **change), told) is news  # type: ignore[arg-type]
    assert legs.is_news(told, None)


def test_another_reason_or_upload_is_news() -> None:
    told = quality(Forward(Option(1)))
    for change in ({"reason": "settling"}, {"layer": 0}, {"upload_loss": 0.05}):
        changed = replace(told.sources[0], **change)
        assert legs.is_news(replace(told, sources=(changed,)), told)


def test_an_upload_is_broken_when_repair_does_not_help() -> None:
    meters = Meters()
    for now, repaired, missing, broken in ((1.0, 0, 0, False), (2.0, 50, 1, False), (3.0, 50, 5, True)):
        counters = {"packets": int(now * 100), "repaired": repaired, "unrepaired": missing}
        meters.read(cast(Stats, Snapshot(publications={7: counters})), now)
        assert legs.upload_is_broken([publication()], meters) is broken
