"""What an entry says of its length."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from mediaserver.review.library import Entry


def test_a_recording_that_goes_on_has_no_length() -> None:
    start = datetime(2026, 3, 9, tzinfo=UTC)
    going = Entry(id="r1", room="a", state="recording", started_at=start, ended_at=None)
    over = Entry(id="r1", room="a", state="sealed", started_at=start, ended_at=start + timedelta(seconds=8))
    assert (going.seconds, over.seconds) == (None, 8.0)
