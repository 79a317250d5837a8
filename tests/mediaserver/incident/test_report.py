"""The report's data: causes from raising to clearing, a line a leg, no secret and nobody's name."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from mediaserver.clinical import ClinicalClass
from mediaserver.config import Alerts, Data, IceServer, Tokens, Webhook
from mediaserver.incident import report as report_module
from mediaserver.incident.report import cause_spans, gather, p95, summaries
from mediaserver.operations.model import TimelineEvent, TimelineKind
from mediaserver.quality_history.store import HistoryStore
from tests.mediaserver.peers import settings
from tests.mediaserver.seconds import AT_MS, ROOMS, leg, observer, surgeon, view


def event(second: int, kind: TimelineKind, detail: str, participant: str = "p") -> TimelineEvent:
    return TimelineEvent(at_ms=AT_MS + second * 1000, kind=kind, participant=participant, detail=detail)


SEVEN = [
    event(1, "finding_raised", "clock watch"),
    event(2, "finding_raised", "viewer_downlink watch", "q"),
    event(3, "finding_raised", "viewer_downlink hurt", "q"),
    event(4, "joined", "observer"),
    event(5, "finding_cleared", "viewer_downlink hurt", "q"),
    event(8, "finding_cleared", "relay watch", "r"),
    event(9, "finding_raised", "no_such_cause hurt"),
]


def told(
    events: list[TimelineEvent], from_second: int, to_second: int, ended: int | None = None
) -> list[tuple[str, str, int, int | None]]:
    def second(at_ms: int | None) -> int | None:
        return None if at_ms is None else (at_ms - AT_MS) // 1000

    ended_ms = None if ended is None else AT_MS + ended * 1000
    found = cause_spans(events, ended_ms, AT_MS + from_second * 1000, AT_MS + to_second * 1000)
    return [(one.cause.cause, one.severity, second(one.began_ms) or 0, second(one.ended_ms)) for one in found]


def test_causes_run_from_raising_to_clearing_and_may_be_open() -> None:
    assert told(SEVEN, 0, 10) == [
        ("relay", "watch", 0, 8),
        ("clock", "watch", 1, None),
        ("viewer_downlink", "hurt", 2, 5),
    ]


def test_what_began_before_the_report_is_in_it_and_what_ended_before_is_not() -> None:
    assert told(SEVEN, 4, 10)[1:] == [("viewer_downlink", "hurt", 2, 5), ("relay", "watch", 4, 8)]
    assert told(SEVEN[:3], 6, 7) == [("clock", "watch", 1, None), ("viewer_downlink", "hurt", 2, None)]
    assert [cause for cause, *_ in told(SEVEN, 6, 10)] == ["clock", "relay"]


def test_with_the_room_everything_ends() -> None:
    assert told(SEVEN, 6, 10, ended=9)[0] == ("clock", "watch", 1, 9)
    assert told(SEVEN[:3], 4, 6, ended=9)[0] == ("clock", "watch", 1, None), "after the report"
    assert told(SEVEN[:3], 6, 8, ended=5) == []


async def test_a_report_in_the_middle_of_a_fault_names_it_however_much_happened(tmp_path: Path) -> None:
    store = HistoryStore(tmp_path / "history.db", ROOMS, max_bytes=1 << 30, keep_days=30)
    store.start(AT_MS)
    gone = store.open_span("r", ClinicalClass.SURGERY, AT_MS - 9_000)
    store.add_events(gone, [event(-9, "finding_raised", "relay hurt")])
    store.close_span(gone, AT_MS - 5_000)
    span = store.open_span("r", ClinicalClass.SURGERY, AT_MS)
    other = store.open_span("other", ClinicalClass.SURGERY, AT_MS)
    store.add_events(other, [event(0, "finding_raised", "clock hurt")])
    store.add_events(span, [event(0, "finding_raised", "viewer_downlink hurt")])
    store.add_events(span, [event(60, "layer_forwarded", "0")] * (report_module.MAX_EVENTS + 1))
    store.add_events(span, [event(300, "finding_raised", "publisher_uplink watch")])
    store.add_events(span, [event(900, "finding_cleared", "viewer_downlink hurt")])
    await store.database.flush()
    report = await gather(store.database, settings(), "r", AT_MS + 60_000, AT_MS + 600_000)
    await asyncio.to_thread(store.stop)
    assert [(one.cause.cause, one.began_ms, one.ended_ms) for one in report.causes] == [
        ("viewer_downlink", AT_MS, None),
        ("publisher_uplink", AT_MS + 300_000, None),
    ]
    assert (report.truncated, {one.kind for one in report.timeline}) == (True, {"layer_forwarded"})


def test_legs_are_summed_up() -> None:
    samples = [
        observer(
            AT_MS + index,
            down=leg(bits_per_second=1000 * index, round_trip_seconds=index / 100),
            views=(view(freezes=1, freeze_seconds=0.25),),
        )
        for index in range(1, 101)
    ]
    down, up = summaries([*samples, surgeon()])
    assert (down.direction, down.samples, down.mean_bits_per_second) == ("down", 100, 50_500)
    assert (down.round_trip_p95_seconds, down.freezes, down.freeze_seconds) == (0.96, 100, 25.0)
    assert (up.direction, up.participant, up.freezes) == ("up", "surgeon-1", 0)
    assert p95([None, None]) is None


async def test_a_report_longer_than_its_samples_reaches_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_module, "MAX_SAMPLES", 600)
    store = HistoryStore(tmp_path / "history.db", ROOMS, max_bytes=1 << 30, keep_days=30)
    store.start(AT_MS)
    span = store.open_span("r", ClinicalClass.SURGERY, AT_MS)
    for second in range(1000):
        now = AT_MS + second * 1000
        store.add_samples(span, now, [surgeon(now), observer(now)])
    await store.database.flush()
    whole = await gather(store.database, settings(), "r", AT_MS, AT_MS + 10**6)
    monkeypatch.setattr(report_module, "MAX_READ", 1000)
    cut = await gather(store.database, settings(), "r", AT_MS, AT_MS + 10**6)
    await asyncio.to_thread(store.stop)
    assert (whole.resolution_seconds, len(whole.samples), whole.truncated) == (4, 500, False)
    assert (whole.samples[0].at_ms, whole.samples[-1].at_ms) == (AT_MS, AT_MS + 996_000)
    assert cut.truncated


async def test_a_report_holds_all_that_is_known_and_nothing_secret(tmp_path: Path) -> None:
    secret = "a-secret-that-must-not-be-told-00"
    chosen = settings().model_copy(
        update={
            "data": Data(folder=tmp_path / "private-folder"),
            "tokens": Tokens.model_validate({"secret": secret}),
            "ice_servers": (
                IceServer.model_validate({"urls": ("turn:turn.example",), "credential": secret}),
            ),
            "alerts": Alerts(
                webhooks=(
                    Webhook.model_validate(
                        {"url": "https://pager.example/" + secret, "secret": "whsec_" + "QUFB" * 8}
                    ),
                )
            ),
        }
    )
    store = HistoryStore(tmp_path / "history.db", ROOMS, max_bytes=1 << 30, keep_days=30)
    store.start(AT_MS)
    span = store.open_span("r", ClinicalClass.SURGERY, AT_MS)
    for second in range(1200):
        now = AT_MS + second * 1000
        store.add_samples(span, now, [surgeon(now), observer(now)])
    store.add_events(span, [event(3, "finding_raised", "clock hurt")])
    await store.database.flush()
    report = await gather(store.database, chosen, "r", AT_MS, AT_MS + 10**7)
    empty = await gather(store.database, chosen, "nowhere", AT_MS, AT_MS + 10**7)
    await asyncio.to_thread(store.stop)
    assert (report.clinical_class, len(report.samples), report.truncated) == ("surgery", 2400, False)
    assert [one.cause.cause for one in report.causes] == ["clock"]
    assert (empty.clinical_class, empty.samples, empty.legs) == (None, [], [])
    text = msgspec.json.encode(report).decode()
    assert report.configuration["limits"]
    for hidden in (secret, "turn.example", "pager.example", "private-folder", "127.0.0.1"):
        assert hidden not in text
