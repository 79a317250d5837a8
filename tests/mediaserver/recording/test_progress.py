"""The lag of a recording and its failures, as operators are told of them."""

from __future__ import annotations

from mediaserver.ids import RecordingId
from mediaserver.recording.progress import LOST_SECONDS, Progress

ONE, OTHER = RecordingId("r1"), RecordingId("r2")


def synced(seconds: float) -> dict[str, object]:
    return {"event": "synced", "monotonic_micros": round(seconds * 1_000_000)}


def test_while_nothing_is_taken_nothing_is_late() -> None:
    progress = Progress()
    progress.told(synced(100.0), 100.0)
    progress.told({"event": "lost", "recording": ONE}, 100.0)
    assert (progress.lag_seconds(200.0), progress.failed(100.0)) == (None, False)


def test_the_lag_grows_while_the_recorder_is_silent() -> None:
    progress = Progress()
    progress.begin(ONE, 100.0)
    assert progress.lag_seconds(100.5) == 0.5, "nothing was told yet: since the beginning"
    progress.told(synced(101.0), 101.2)
    assert progress.lag_seconds(101.5) == 0.5
    assert progress.lag_seconds(111.0) == 10.0
    progress.told(synced(90.0), 112.0)
    assert progress.lag_seconds(112.0) == 11.0, "what is on the disk stays there"
    progress.end(ONE)
    assert progress.lag_seconds(113.0) is None


def test_what_was_synced_before_a_recording_says_nothing_of_it() -> None:
    progress = Progress()
    progress.told(synced(50.0), 50.0)
    progress.begin(ONE, 100.0)
    assert progress.lag_seconds(101.0) == 1.0
    progress.begin(OTHER, 101.0)
    assert progress.lag_seconds(102.0) == 2.0, "the earliest that waits counts"


def test_a_recording_that_could_not_begin_has_failed_until_it_begins_or_ends() -> None:
    progress = Progress()
    progress.begin(ONE, 0.0)
    progress.told({"event": "failed", "recording": ONE, "reason": "OSError"}, 1.0)
    assert progress.failed(1000.0)
    progress.told({"event": "started", "recording": ONE}, 1001.0)
    assert not progress.failed(1001.0)
    progress.told({"event": "failed", "recording": ONE, "reason": "OSError"}, 1002.0)
    progress.end(ONE)
    assert not progress.failed(1002.0)
    progress.told({"event": "failed", "recording": OTHER, "reason": "OSError"}, 1003.0)
    assert not progress.failed(1003.0), "nobody waits for that one"


def test_what_was_lost_is_told_for_a_while() -> None:
    progress = Progress()
    progress.begin(ONE, 0.0)
    progress.told({"event": "lost", "recording": ONE}, 5.0)
    assert progress.failed(5.0 + LOST_SECONDS - 0.1)
    assert not progress.failed(5.0 + LOST_SECONDS)
