"""How a report writes its moments: in one zone, as people of its language do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo

from mediaserver.incident.words import Language
from mediaserver.zones import local


@dataclass(frozen=True, slots=True)
class Times:
    """``day_of_ms``: on this day a time of day is enough."""

    language: Language
    zone: tzinfo
    day_of_ms: int

    def moment(self, at_ms: int) -> str:
        """Day and time, to the second."""
        pattern = "%d/%m/%Y %H:%M:%S" if self.language == "vi" else "%Y-%m-%d %H:%M:%S"
        return local(at_ms, self.zone).strftime(pattern)

    def clock(self, at_ms: int) -> str:
        """Time, to the second; with the day where it is another."""
        at = local(at_ms, self.zone)
        same = at.date() == local(self.day_of_ms, self.zone).date()
        return at.strftime("%H:%M:%S") if same else self.moment(at_ms)

    def distance(self) -> str:
        """To UTC on the day, as in ``UTC+07:00``."""
        return f"UTC{local(self.day_of_ms, self.zone).isoformat()[-6:]}"
