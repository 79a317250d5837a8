"""How the recorder keeps up: by what it tells, and by its silence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mediaserver.ids import RecordingId

LOST_SECONDS: Final = 10.0
"""What was lost is trouble for this long after the last of it."""


class Progress:
    """``now`` is the machine's monotonic clock in seconds, which server and recorder share."""

    def __init__(self) -> None:
        self._synced_to = 0.0
        self._begun: dict[RecordingId, float] = {}
        self._refused: set[RecordingId] = set()
        """Begun, and the recorder could not."""
        self._lost_at = float("-inf")

    def begin(self, recording: RecordingId, now: float) -> None:
        """From here on media are to reach the disk."""
        self._begun[recording] = now

    def end(self, recording: RecordingId) -> None:
        """Nothing more is to. Idempotent."""
        self._begun.pop(recording, None)
        self._refused.discard(recording)

    def told(self, message: Mapping[str, Any], now: float) -> None:
        """A message of the recorder; most are about something else."""
        match message["event"]:
            case "synced":
                self._synced_to = max(self._synced_to, message["monotonic_micros"] / 1_000_000)
            case "started":
                self._refused.discard(RecordingId(message["recording"]))
            case "failed" if message["recording"] in self._begun:
                self._refused.add(RecordingId(message["recording"]))
            case "lost":
                self._lost_at = now
            case _:
                pass

    def lag_seconds(self, now: float) -> float | None:
        """How far the disk is behind the media, silence of the recorder included. None: nothing is taken."""
        if not self._begun:
            return None
        return max(0.0, now - max(self._synced_to, min(self._begun.values())))

    def failed(self, now: float) -> bool:
        """Something that should be recorded is not."""
        return bool(self._refused) or (bool(self._begun) and now - self._lost_at < LOST_SECONDS)
