"""Findings that last, told from those that flicker. Pure: one call a second, no clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from mediaserver.cause.classifier import badness
from mediaserver.operations.model import Cause, Finding

RAISE_OF, RAISE_SECONDS = 5, 3
"""Raised when found in so many of the last so many seconds: reports of loss come every few seconds only."""
CLEAR_SECONDS = 10
"""Cleared after so many seconds without."""
_RECENT = (1 << RAISE_OF) - 1
_KEPT = (1 << CLEAR_SECONDS) - 1

Key: TypeAlias = tuple[Cause, str | None, str | None]


@dataclass(frozen=True, slots=True)
class Raised:
    """A finding has lasted, or a lasting one became one that hurts."""

    finding: Finding


@dataclass(frozen=True, slots=True)
class Cleared:
    """A lasting finding is over."""

    finding: Finding


Change: TypeAlias = Raised | Cleared


@dataclass(slots=True)
class _Track:
    """One finding's last seconds, the newest in the lowest bit."""

    finding: Finding
    seen: int = 0
    hurt: int = 0
    raised: bool = False

    def second(self, found: Finding | None, at_ms: int) -> Change | None:
        if self.seen == 0:
            self.finding = msgspec.structs.replace(self.finding, since_ms=at_ms)
        self.seen = (self.seen << 1 | (found is not None)) & _KEPT
        self.hurt = (self.hurt << 1 | (found is not None and found.severity == "hurt")) & _KEPT
        if self.raised and self.seen == 0:
            return Cleared(self.finding)
        hurts = (self.hurt & _RECENT).bit_count() >= RAISE_SECONDS
        was_hurt = self.raised and self.finding.severity == "hurt"
        severity = "hurt" if hurts or (was_hurt and self.hurt) else "watch"
        evidence = self.finding.evidence if found is None else found.evidence
        self.finding = msgspec.structs.replace(self.finding, evidence=evidence, severity=severity)
        lasts = self.raised or (self.seen & _RECENT).bit_count() >= RAISE_SECONDS
        news = lasts and (not self.raised or (severity == "hurt" and not was_hurt))
        self.raised = lasts
        return Raised(self.finding) if news else None


class Lasting:
    """The findings of one room (or of the server)."""

    def __init__(self) -> None:
        self._tracks: dict[Key, _Track] = {}

    def second(self, findings: Sequence[Finding], at_ms: int) -> list[Change]:
        """What this second's findings change."""
        found: dict[Key, Finding] = {(one.cause, one.participant, one.publication): one for one in findings}
        for key, one in found.items():
            self._tracks.setdefault(key, _Track(one))
        changes: list[Change] = []
        for key, track in list(self._tracks.items()):
            change = track.second(found.get(key), at_ms)
            if change is not None:
                changes.append(change)
            if track.seen == 0:
                del self._tracks[key]
        return changes

    def end(self) -> list[Change]:
        """The room is over, and with it what lasted."""
        over: list[Change] = [Cleared(track.finding) for track in self._tracks.values() if track.raised]
        self._tracks.clear()
        return over

    def current(self) -> list[Finding]:
        """Those that last now, the worst first."""
        return sorted((track.finding for track in self._tracks.values() if track.raised), key=badness)
