"""Lasting findings as alerts: at most one a cause and room in five minutes, whoever it hurts. Pure.

One that could be noticed and comes to hurt is told once more, as the same alert; one that comes to hurt
somebody more important begins anew, when the five minutes are over. What happens in a test is nobody's alert.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import msgspec

from mediaserver.cause.classifier import place_of
from mediaserver.cause.texts import CAUSES
from mediaserver.clinical import ClinicalClass
from mediaserver.operations.model import Alert, Cause, Finding

QUIET_MS = 5 * 60 * 1000
"""Within this of an alert's beginning, the same cause in the same room is no news."""
WATCH_MS = 30_000
"""What merely may be noticed must last this long; what hurts is told as soon as it lasts."""
RETURN_MS = 60_000
"""After a restart everybody who comes back is there, and what lasts is known to."""
MAX_TOLD = 60
"""Raised alerts told in ``QUIET_MS``, over all rooms: nobody reads more. Surgeries, emergencies and the
server itself are always told; of the others, the board and the history have what is not."""

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
    awaited_until_ms: int = 0
    """Stood when the process before ended: before this, nobody can say that it is over."""


class Alerts:
    """All rooms' alerts of the last minutes."""

    def __init__(self, new_id: Callable[[], str] = lambda: secrets.token_urlsafe(12)) -> None:
        self._new_id = new_id
        self._standing: dict[Key, _Standing] = {}
        self.raised: dict[tuple[Cause, str], int] = {}
        """Counts by cause and severity, since the start."""
        self.withheld = 0
        """Of those, not told to anybody for their number."""
        self._told_at: deque[int] = deque(maxlen=MAX_TOLD)

    def open(self) -> list[Alert]:
        """Those not cleared, newest first."""
        found = [one.alert for one in self._standing.values() if one.alert.cleared_ms is None]
        return sorted(found, key=lambda alert: -alert.raised_ms)

    def take_up(self, left: Sequence[Alert], last_ms: int, now_ms: int) -> list[News]:
        """What the process before left, the oldest first; it sampled at ``last_ms`` for the last time.

        An alert of the last five minutes goes on standing: a server that starts again and again tells none
        more often. One that is older was over with that process; whatever still lasts is raised anew.
        """
        news: list[News] = []
        for one in left:
            if now_ms - one.raised_ms < QUIET_MS:
                known = _Standing(one, one.cleared_ms is not None, now_ms + RETURN_MS)
                self._standing[one.room, one.cause.cause] = known
            elif one.cleared_ms is None:
                over = msgspec.structs.replace(one, cleared_ms=max(last_ms, one.raised_ms))
                news.append(News(over, "cleared"))
        return news

    def second(
        self, room: str | None, clinical_class: ClinicalClass | None, lasting: Sequence[Finding], at_ms: int
    ) -> list[News]:
        """What a room's lasting findings (the worst first) change. ``room`` None: the server's own."""
        news: list[News] = []
        worst: dict[Cause, Finding] = {}
        for one in lasting if clinical_class is not ClinicalClass.TEST else ():
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
        if standing is not None:
            standing.awaited_until_ms = 0
        if standing is None:
            return [self._raise(key, clinical_class, one, at_ms)]
        if _is_news(standing, one, at_ms):
            return [*_over(standing, at_ms), self._raise(key, clinical_class, one, at_ms)]
        if standing.alert.cleared_ms is not None:
            standing.alert = msgspec.structs.replace(
                standing.alert, cleared_ms=None, repeats=standing.alert.repeats + 1
            )
            return [News(standing.alert, None)]
        if one.severity == "hurt" and standing.alert.severity == "watch":
            standing.alert = msgspec.structs.replace(
                standing.alert,
                severity="hurt",
                evidence=one.evidence,
                participant=one.participant,
                role=one.role,
            )
            if not self._may_tell(clinical_class, at_ms):
                return [News(standing.alert, None)]
            # Whoever was told that it is over must hear of the end once more.
            standing.told_cleared = False
            return [News(standing.alert, "raised")]
        return []

    def _raise(self, key: Key, clinical_class: ClinicalClass | None, one: Finding, at_ms: int) -> News:
        alert = Alert(
            id=self._new_id(),
            room=key[0],
            clinical_class=clinical_class,
            cause=CAUSES[key[1]],
            severity=one.severity,
            participant=one.participant,
            role=one.role,
            evidence=one.evidence,
            raised_ms=at_ms,
            cleared_ms=None,
        )
        counted = (key[1], one.severity)
        self.raised[counted] = self.raised.get(counted, 0) + 1
        told = self._may_tell(clinical_class, at_ms)
        # Nobody hears the end of what they were not told.
        self._standing[key] = _Standing(alert, told_cleared=not told)
        return News(alert, "raised" if told else None)

    def _may_tell(self, clinical_class: ClinicalClass | None, at_ms: int) -> bool:
        if clinical_class is None or clinical_class.vital:
            return True
        if len(self._told_at) == MAX_TOLD and at_ms - self._told_at[0] < QUIET_MS:
            self.withheld += 1
            return False
        self._told_at.append(at_ms)
        return True

    def _absent(self, key: Key, standing: _Standing, at_ms: int) -> list[News]:
        if standing.alert.cleared_ms is None and at_ms < standing.awaited_until_ms:
            return []
        if standing.alert.cleared_ms is None:
            standing.alert = msgspec.structs.replace(standing.alert, cleared_ms=at_ms)
            told: Literal["cleared"] | None = None if standing.told_cleared else "cleared"
            standing.told_cleared = True
            return [News(standing.alert, told)]
        if at_ms - standing.alert.raised_ms >= QUIET_MS:
            del self._standing[key]
        return []

    def forget(self, at_ms: int) -> list[News]:
        """Lets go of cleared alerts of rooms that are gone; ends those of rooms that did not come back."""
        news: list[News] = []
        for key, standing in list(self._standing.items()):
            if 0 < standing.awaited_until_ms <= at_ms and standing.alert.cleared_ms is None:
                news += self._absent(key, standing, at_ms)
            elif standing.alert.cleared_ms is not None and at_ms - standing.alert.raised_ms >= QUIET_MS:
                del self._standing[key]
        return news


def _is_news(standing: _Standing, one: Finding, at_ms: int) -> bool:
    """Whether what stands is told anew: it was told to be over, or another is hurt who matters more."""
    if at_ms - standing.alert.raised_ms < QUIET_MS:
        return False
    more = place_of(one.role) < place_of(standing.alert.role)
    as_bad = one.severity in ("hurt", standing.alert.severity)
    return standing.told_cleared or (more and as_bad)


def _over(standing: _Standing, at_ms: int) -> list[News]:
    """The end of what stands, before it begins anew."""
    if standing.alert.cleared_ms is not None:
        return []
    over = msgspec.structs.replace(standing.alert, cleared_ms=at_ms)
    return [News(over, None if standing.told_cleared else "cleared")]
