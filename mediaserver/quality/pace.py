"""How often a source may be looked at, by what its looks cost. Pure: processor times are arguments."""

from __future__ import annotations

APART_SECONDS = 1.0
SOURCE_SHARE = 0.03
"""Of a processor core, for any one source: a large picture is looked at less often."""
LONGEST_SECONDS = 60.0
"""Of each source there is a look a minute, whatever that costs: nobody would believe an older one."""


class Pace:
    """One process's."""

    def __init__(self, share: float) -> None:
        """``share``: of a processor core, for all sources together."""
        self._share = share
        self._costs: dict[str, float] = {}
        """Of the last look at each source, processor seconds."""
        self._total = 0.0

    def looked(self, publication: str, processor_seconds: float) -> None:
        """It was looked at, for that much since the look before."""
        self.forget(publication)
        self._costs[publication] = processor_seconds
        self._total += processor_seconds

    def forget(self, publication: str) -> None:
        """There is no such source any more. Idempotent."""
        self._total -= self._costs.pop(publication, 0.0)

    def apart_seconds(self, publication: str) -> float:
        """From one look at a source to the next, at least: none waits for another's turn."""
        own = self._costs.get(publication, 0.0) / SOURCE_SHARE
        everybody = self._total / self._share
        return min(LONGEST_SECONDS, max(APART_SECONDS, own, everybody))
