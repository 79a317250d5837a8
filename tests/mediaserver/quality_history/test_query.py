"""Pages: every sample once, in order, whatever the page's size; and CSV that a spreadsheet takes for data."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from mediaserver.cause.texts import CAUSES
from mediaserver.clinical import ClinicalClass
from mediaserver.errors import MalformedCursor
from mediaserver.operations.model import Alert, Sample, TimelineEvent
from mediaserver.quality_history import query
from mediaserver.quality_history.store import HistoryStore
from mediaserver.zones import VIETNAM
from tests.mediaserver.seconds import AT_MS, ROOMS, observer, surgeon

SECONDS = 700


@pytest.fixture
def history(tmp_path: Path) -> Iterator[HistoryStore]:
    one = HistoryStore(tmp_path / "history.db", ROOMS, max_bytes=1 << 30, keep_days=30)
    one.start(AT_MS)
    span, other = one.open_span("r", None, AT_MS), one.open_span("other", None, AT_MS)
    for second in range(SECONDS):
        now = AT_MS + second * 1000
        one.add_samples(span, now, [surgeon(now), observer(now)])
        one.add_samples(other, now, [surgeon(now, participant="stranger")])
        one.add_events(span, [TimelineEvent(at_ms=now, kind="joined", detail=str(second))])
    one.stop()
    one.start(AT_MS + 1)
    yield one
    one.stop()


async def all_pages(history: HistoryStore, limit: int, participant: str | None = None) -> list[Sample]:
    found: list[Sample] = []
    cursor = None
    while True:
        page = await query.samples(
            history.database, "r", AT_MS, AT_MS + 10**9, participant=participant, limit=limit, cursor=cursor
        )
        assert len(page.samples) <= limit + 1
        found += page.samples
        cursor = page.next
        if cursor is None:
            return found


@pytest.mark.parametrize("limit", [1, 7, 299, 300, 600, 5000])
async def test_pages_hold_every_sample_once(history: HistoryStore, limit: int) -> None:
    if limit == 1:
        page = await query.samples(history.database, "r", AT_MS, AT_MS + 3000, limit=1)
        assert len(page.samples) == 2
        assert page.next is not None
        return
    found = await all_pages(history, limit)
    assert [one.at_ms for one in found] == sorted(one.at_ms for one in found)
    assert len(found) == 2 * SECONDS
    assert {one.participant for one in found} == {"surgeon-1", "observer-1"}


async def test_one_participant_and_half_open_spans(history: HistoryStore) -> None:
    assert len(await all_pages(history, 100, "observer-1")) == SECONDS
    assert await all_pages(history, 100, "stranger") == []
    page = await query.samples(history.database, "r", AT_MS + 1000, AT_MS + 3000)
    assert sorted({one.at_ms for one in page.samples}) == [AT_MS + 1000, AT_MS + 2000]


async def test_a_page_looks_at_so_much_and_goes_on_there(
    history: HistoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query, "MAX_LOOKED", 500)
    page = await query.samples(history.database, "r", AT_MS, AT_MS + 10**9, participant="nobody")
    assert (page.samples, page.next is None) == ([], False)
    assert len(await all_pages(history, 5000, "observer-1")) == SECONDS


async def test_the_timeline_pages_too(history: HistoryStore) -> None:
    details: list[str] = []
    cursor = None
    while True:
        page = await query.timeline(history.database, "r", AT_MS, AT_MS + 10**9, limit=90, cursor=cursor)
        details += [event.detail for event in page.events]
        cursor = page.next
        if cursor is None:
            break
    assert details == [str(second) for second in range(SECONDS)]


async def test_spans_and_alerts_are_newest_first(history: HistoryStore) -> None:
    spans = await query.spans(history.database, 0, AT_MS + 10**9, limit=1)
    assert [one.room for one in spans.spans] == ["other"]
    rest = await query.spans(history.database, 0, AT_MS + 10**9, limit=1, cursor=spans.next)
    assert ([one.room for one in rest.spans], rest.next) == (["r"], None)
    for index in range(3):
        history.put_alert(
            Alert(
                id=str(index),
                room="r" if index else None,
                clinical_class=ClinicalClass.TEST,
                cause=CAUSES["clock"],
                severity="hurt",
                participant=None,
                evidence=(),
                raised_ms=AT_MS + index,
                cleared_ms=None if index else AT_MS + 9,
            )
        )
    await history.database.flush()
    whole = await query.alerts(history.database, AT_MS, AT_MS + 10)
    assert [one.id for one in whole.alerts] == ["2", "1", "0"]
    still = await query.alerts(history.database, AT_MS, AT_MS + 10, room="r", limit=1)
    assert [one.id for one in still.alerts] == ["2"]
    more = await query.alerts(history.database, AT_MS, AT_MS + 10, room="r", limit=1, cursor=still.next)
    assert ([one.id for one in more.alerts], more.next) == (["1"], None)
    assert [one.id for one in (await query.alerts(history.database, AT_MS, AT_MS + 10, room="r")).alerts] == [
        "2",
        "1",
    ]


@pytest.mark.parametrize("cursor", ["", "1", "a.b", "1.2; DROP TABLE sample", "-1.0", "1." + "9" * 60])
async def test_a_made_up_cursor_is_refused(history: HistoryStore, cursor: str) -> None:
    with pytest.raises(MalformedCursor):
        await query.samples(history.database, "r", 0, 1, cursor=cursor)


def test_csv_has_a_line_a_part_and_no_formula() -> None:
    text = query.csv_head(AT_MS, None, VIETNAM) + query.csv_lines(
        [surgeon(participant="=cmd"), observer(participant="-x")], VIETNAM
    )
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [line["part"] for line in lines] == ["up", "source", "down", "view"]
    assert [line["participant"] for line in lines] == ["'=cmd", "'=cmd", "'-x", "'-x"]
    assert lines[1]["publication"] == "scope"
    assert float(lines[0]["round_trip_seconds"]) == 0.02
    assert datetime.fromisoformat(lines[0]["time"]).timestamp() * 1000 == int(lines[0]["at_ms"])
    assert lines[0]["time"].endswith("+07:00")


@pytest.mark.parametrize(("from_ms", "parts"), [(AT_MS - 1, ["dropped_before", "up"]), (AT_MS, ["up"])])
def test_csv_says_from_when_on_it_is_whole(from_ms: int, parts: list[str]) -> None:
    text = query.csv_head(from_ms, AT_MS, VIETNAM) + query.csv_lines([surgeon(AT_MS)], VIETNAM)
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [line["part"] for line in lines][: len(parts)] == parts
    assert {len(line) for line in csv.reader(io.StringIO(text))} == {len(query.COLUMNS)}
    assert int(lines[0]["at_ms"]) == AT_MS
