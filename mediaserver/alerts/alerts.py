"""Lasting findings as alerts: at most one a cause and room in five minutes, whoever it hurts. Pure.

One that could be noticed and comes to hurt is told once more, as the same alert.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import msgspec

from mediaserver.cause.texts import CAUSES
from mediaserver.clinical import ClinicalClass
from mediaserver.operations.model import Alert, Cause, Finding

QUIET_MS = 5 * 60 * 1000
"""Within this of an alert's beginning, the same cause in the same room is no news."""
WATCH_MS = 30_000
"""What merely may be noticed must last this long; what hurts is told as soon as it lasts."""

Key: TypeAlias = tuple[str | None, Cause]


@dataclass(frozen=True, slots=True)
class News:
    """To be stored; told to people and webhooks where ``told`` says so."""

    alert: Alert
    told: Literal["raised", "cleared"] | None


@dataclass(slots=True)
class _Standing:
    alert: Alert
    told_cleared: bool = False


class Alerts:
    """All rooms' alerts of the last minutes."""

    def __init__(self, new_id: Callable[[], str] = lambda: secrets.token_urlsafe(12)) -> None:
        self._new_id = new_id
        self._standing: dict[Key, _Standing] = {}
        self.raised: dict[tuple[Cause, str], int] = {}
        """Counts by cause and severity, since the start."""

    def open(self) -> list[Alert]:
        """Those not cleared, newest first."""
        found = [one.alert for one in self._standing.values() if one.alert.cleared_ms is None]
        return sorted(found, key=lambda alert: -alert.raised_ms)

    def second(
        self, room: str | None, clinical_class: ClinicalClass | None, lasting: Sequence[Finding], at_ms: int
    ) -> list[News]:
        """What a room's lasting findings (the worst first) change. ``room`` None: the server's own."""
        news: list[News] = []
        worst: dict[Cause, Finding] = {}
        for one in lasting:
            if one.severity == "hurt" or at_ms - one.since_ms >= WATCH_MS:
                worst.setdefault(one.cause, one)
        for cause, one in worst.items():
            news += self._present((room, cause), clinical_class, one, at_ms)
        for key, standing in list(self._standing.items()):
            if key[0] == room and key[1] not in worst:
                news += self._absent(key, standing, at_ms)
        return news

    def _present(
        self, key: Key, clinical_class: ClinicalClass | None, one: Finding, at_ms: int
    ) -> list[News]:
        standing = self._standing.get(key)
        over: list[News] = []
        if standing is not None and standing.alert.cleared_ms is None and standing.told_cleared:
            over = [News(msgspec.structs.replace(standing.alert, cleared_ms=at_ms), None)]
        if standing is None or (standing.told_cleared and at_ms - standing.alert.raised_ms >= QUIET_MS):
            alert = Alert(
                id=self._new_id(),
                room=key[0],
                clinical_class=clinical_class,
                cause=CAUSES[key[1]],
                severity=one.severity,
                participant=one.participant,
                evidence=one.evidence,
                raised_ms=at_ms,
                cleared_ms=None,
            )
            self._standing[key] = _Standing(alert)
            counted = (key[1], one.severity)
            self.raised[counted] = self.raised.get(counted, 0) + 1
            return [*over, News(alert, "raised")]
        if standing.alert.cleared_ms is not None:
            standing.alert = msgspec.structs.replace(
                standing.alert, cleared_ms=None, repeats=standing.alert.repeats + 1
            )
            return [News(standing.alert, None)]
        if one.severity == "hurt" and standing.alert.severity == "watch":
            standing.alert = msgspec.structs.replace(
                standing.alert, severity="hurt", evidence=one.evidence, participant=one.participant
            )
            # Whoever was told that it is over must hear of the end once more.
            standing.told_cleared = False
            return [News(standing.alert, "raised")]
        return []

    def _absent(self, key: Key, standing: _Standing, at_ms: int) -> list[News]:
        if standing.alert.cleared_ms is None:
            standing.alert = msgspec.structs.replace(standing.alert, cleared_ms=at_ms)
            told: Literal["cleared"] | None = None if standing.told_cleared else "cleared"
            standing.told_cleared = True
            return [News(standing.alert, told)]
        if at_ms - standing.alert.raised_ms >= QUIET_MS:
            del self._standing[key]
        return []

    def forget_quiet(self, at_ms: int) -> None:
        """Lets go of cleared alerts of rooms that are gone."""
        for key, standing in list(self._standing.items()):
            if standing.alert.cleared_ms is not None and at_ms - standing.alert.raised_ms >= QUIET_MS:
                del self._standing[key]
