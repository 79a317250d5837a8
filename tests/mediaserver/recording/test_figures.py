"""What the recorder tells, kept over its restarts; silence is lag."""

from __future__ import annotations

from typing import Any

from mediaserver.ids import RecordingId
from mediaserver.recording.figures import LOST_SECONDS, SILENT_SECONDS, Figures


def told(figures: Figures, now: float, event: str, **more: Any) -> None:
    figures.take({"event": event, **more}, now)


def test_bytes_add_up_over_recorders() -> None:
    figures = Figures()
    for begun in (0.0, 10.0):
        told(figures, begun, "up")
        told(
            figures, begun + 5, "figures", written=100, rate=20, free_bytes=7, seconds_left=9, lag_seconds=0.0
        )
    assert (figures.starts, figures.written_bytes, figures.bytes_per_second) == (2, 200, 20)
    assert (figures.free_bytes, figures.seconds_left) == (7, 9)


def test_a_silent_recorder_is_behind_and_fails() -> None:
    figures = Figures()
    told(figures, 0.0, "up")
    told(figures, 5.0, "figures", written=1, rate=1, lag_seconds=0.2)
    assert (figures.lag_seconds(6.0), figures.failed(6.0)) == (0.2, False)
    late = 5.0 + SILENT_SECONDS + 1
    assert (figures.lag_seconds(late), figures.failed(late)) == (SILENT_SECONDS + 1, True)


def test_what_could_not_be_begun_fails_until_it_is() -> None:
    figures = Figures()
    told(figures, 0.0, "failed", recording="r1", reason="OSError")
    assert figures.failed(1.0)
    told(figures, 2.0, "started", recording="r1")
    assert not figures.failed(3.0)


def test_what_is_lost_fails_for_a_while_or_until_it_is_over() -> None:
    figures = Figures()
    told(figures, 0.0, "lost", recording="r1")
    assert (figures.failed(1.0), figures.failed(LOST_SECONDS)) == (True, False)
    told(figures, 20.0, "lost", recording="r1")
    figures.forget(RecordingId("r1"))
    assert not figures.failed(21.0)


def test_what_a_full_tap_dropped_is_counted_and_fails_for_a_while() -> None:
    figures = Figures()
    for at in (0.0, 1.0):
        told(figures, at, "missed", recording="r1", records=30)
    assert figures.missed_records == 60
    assert (figures.failed(2.0), figures.failed(1.0 + LOST_SECONDS)) == (True, False)


def test_trouble_is_counted_by_reason() -> None:
    figures = Figures()
    for event in ("disk_full", "disk_stalled", "disk_stalled"):
        told(figures, 0.0, event, location=0, elsewhere=True)
    told(figures, 0.0, "sealed", failure="OSError", state=None, recording="r1")
    assert figures.trouble == {"full": 1, "stalled": 2}
    told(
        figures,
        0.0,
        "sealed",
        failure=None,
        state=None,
        recording="r1",
        damaged=3,
        unreadable=2,
        unsealable=4,
    )
    counted = (figures.damaged_chunks, figures.unreadable_journals, figures.unsealable_spans)
    assert (figures.seal_failures, *counted) == (1, 3, 2, 4)


def test_minutes_are_told_once_the_disk_lasts_less_than_half_an_hour() -> None:
    figures = Figures()
    assert figures.minutes_left() is None
    told(figures, 0.0, "disk_low", seconds_left=1799)
    assert figures.minutes_left() == 29
    told(figures, 5.0, "figures", written=1, rate=1, lag_seconds=0.0, seconds_left=59, free_bytes=1)
    assert figures.minutes_left() == 0
    told(figures, 10.0, "figures", written=1, rate=1, lag_seconds=0.0, seconds_left=1800, free_bytes=1)
    assert figures.minutes_left() is None
