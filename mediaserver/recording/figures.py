"""What is known of the recorder: how far behind its disk is, whether it fails, and how long there is room."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from mediaserver.ids import RecordingId
from mediaserver.recording.disk import WARN_SECONDS, WATCH_SECONDS

LOST_SECONDS: Final = 3 * WATCH_SECONDS
"""A recorder that loses says so at least every ``WATCH_SECONDS``; after this long it is over."""
SILENT_SECONDS: Final = 2 * WATCH_SECONDS
"""A recorder tells its figures every ``WATCH_SECONDS``; one silent for longer hangs."""

Message = dict[str, Any]


@dataclass(slots=True)
class Figures:
    """As the recorder told them last. Times are of the monotonic clock, in seconds."""

    written_bytes: int = 0
    """By all recorders since the server's start."""
    bytes_per_second: int = 0
    free_bytes: int | None = None
    """On the disk that is written now; None before it was asked."""
    seconds_left: float | None = None
    """Until that disk is full at the rate of the last minute; None while nothing is written."""
    trouble: Counter[str] = field(default_factory=Counter)
    """How often a disk was full, stalled or failed."""
    starts: int = 0
    """Of recorder processes."""
    seal_failures: int = 0
    damaged_chunks: int = 0
    """Of journals, that did not open when they were sealed."""
    unreadable_journals: int = 0
    """Of another key, or no journals."""
    unsealable_spans: int = 0
    """Of tracks, that no segment could be made of."""
    missed_records: int = 0
    """Of taps that were full, because the recorder came too late to read them."""
    _lag: float = 0.0
    _told_at: float | None = None
    _failed: set[RecordingId] = field(default_factory=set)
    _lost: dict[RecordingId, float] = field(default_factory=dict)
    _written_before: int = 0
    """By recorders that have ended."""

    def take(self, message: Message, now: float | None = None) -> None:
        """What the recorder tells."""
        moment = time.monotonic() if now is None else now
        match message["event"]:
            case "up":
                self.starts += 1
                self._written_before, self._told_at = self.written_bytes, moment
            case "figures":
                self._take_figures(message, moment)
            case "disk_full" | "disk_stalled" | "disk_failed":
                self.trouble[message["event"].removeprefix("disk_")] += 1
            case "disk_low":
                self.seconds_left = message["seconds_left"]
            case "started":
                self._failed.discard(RecordingId(message["recording"]))
            case "failed":
                self._failed.add(RecordingId(message["recording"]))
            case "lost" | "missed":
                self.missed_records += message.get("records", 0)
                self._lost[RecordingId(message["recording"])] = moment
            case "sealed" if message["failure"] is not None:
                self.seal_failures += 1
            case "sealed":
                self.damaged_chunks += message["damaged"]
                self.unreadable_journals += message["unreadable"]
                self.unsealable_spans += message["unsealable"]
            case _:
                pass

    def _take_figures(self, message: Message, moment: float) -> None:
        self.written_bytes = self._written_before + message["written"]
        self.bytes_per_second = message["rate"]
        self.free_bytes = message.get("free_bytes")
        self.seconds_left = message.get("seconds_left")
        self._lag, self._told_at = message["lag_seconds"], moment

    def minutes_left(self) -> int | None:
        """Until the disk is full; None while that is half an hour or more away."""
        left = self.seconds_left
        return None if left is None or left >= WARN_SECONDS else int(left // 60)

    def forget(self, recording: RecordingId) -> None:
        """It is over."""
        self._failed.discard(recording)
        self._lost.pop(recording, None)

    def lag_seconds(self, now: float | None = None) -> float:
        """How far the disk is behind the media; grows while the recorder is silent."""
        moment = time.monotonic() if now is None else now
        silent = 0.0 if self._told_at is None else moment - self._told_at
        return max(self._lag, silent) if silent > SILENT_SECONDS else self._lag

    def failed(self, now: float | None = None) -> bool:
        """Something that should be recorded is not."""
        moment = time.monotonic() if now is None else now
        losing = any(moment - at < LOST_SECONDS for at in self._lost.values())
        return bool(self._failed) or losing or self.lag_seconds(moment) > SILENT_SECONDS
