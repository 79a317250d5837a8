"""Any number of samples as so many that a report stays readable: evenly coarser, never cut off. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from mediaserver.operations.model import Sample
from mediaserver.quality_history.thinning import thinned

COARSEST_SECONDS = 4096
"""Beyond this a chart says nothing; samples of ever new participants could not be halved for ever."""


class Reduction:
    """Takes samples in order of time; whenever it holds more than ``most``, each stands for twice as long."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: list[Sample] = []
        self._waiting: list[Sample] = []
        """Of seconds that may not be whole yet."""
        self.resolution_seconds = 1

    def add(self, samples: Iterable[Sample]) -> None:
        """More of them, later than those before."""
        for sample in samples:
            while self._waiting and self._slot(sample) != self._slot(self._waiting[0]):
                self._close()
            self._waiting.append(sample)

    def samples(self) -> list[Sample]:
        """All that were taken, oldest first, at ``resolution_seconds``."""
        self._close()
        return [*self._kept, *self._waiting]

    def _slot(self, sample: Sample) -> int:
        return sample.at_ms // (1000 * self.resolution_seconds)

    def _close(self) -> None:
        self._kept += self._merged(self._waiting)
        self._waiting = []
        while len(self._kept) > self._most and self.resolution_seconds < COARSEST_SECONDS:
            self.resolution_seconds *= 2
            halved = self._merged([*self._kept, *self._waiting])
            # More of the last slot may come.
            last = self._slot(halved[-1])
            self._kept = [one for one in halved if self._slot(one) != last]
            self._waiting = [one for one in halved if self._slot(one) == last]

    def _merged(self, samples: Iterable[Sample]) -> list[Sample]:
        """One a slot and participant."""
        slots: dict[tuple[int, str], list[Sample]] = {}
        for sample in samples:
            slots.setdefault((self._slot(sample), sample.participant), []).append(sample)
        return [one[0] if len(one) == 1 else thinned(one) for one in slots.values()]
