"""Rows: what is written is read back, and what cannot be read hurts no other row."""

from __future__ import annotations

from mediaserver.operations.model import TimelineEvent
from mediaserver.quality_history.rows import encode, pack, read_alerts, read_events, read_second, unpack
from tests.mediaserver.alerts.test_webhooks import alert
from tests.mediaserver.seconds import AT_MS, observer, surgeon


def test_a_rooms_second_packs_and_unpacks() -> None:
    seconds = [surgeon(), observer()]
    assert unpack(pack(seconds)) == seconds


def test_rows_that_cannot_be_read_are_left_out() -> None:
    event, raised = TimelineEvent(at_ms=AT_MS, kind="joined"), alert("a")
    assert [read_second(content) for content in (pack([surgeon()]), b"no row")] == [[surgeon()], []]
    assert read_events([b"", encode(event), encode(event).replace(b"joined", b"danced")]) == [event]
    assert read_alerts([encode(raised), b"no row"]) == [raised]
