"""What publishers are asked to send: no encoding that nobody needs, none above what is of use.

Only browsers can be told (WHIP has no way back). Nothing is restrained while a publication is recorded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mediaserver.adaptation.meters import Meters
from mediaserver.events import EncodingWanted
from mediaserver.layers import Choice, Demand, Fitted, Forward, Still, Viewing, fit
from mediaserver.room import Publication


@dataclass(frozen=True, slots=True)
class Looking:
    """One viewer of a publication: their subscription as asked for and as decided."""

    demand: Demand
    choice: Choice
    known: bool
    """Whether their link is measured: before that their share says nothing."""


class Uplinks:
    """By publication handle."""

    def __init__(self) -> None:
        self._fitted: dict[int, Fitted] = {}
        self._told: dict[int, tuple[EncodingWanted, ...]] = {}

    def active(self, publication: int) -> Sequence[bool] | None:
        """Which encodings the publisher was asked to send; ``None`` before it was asked for anything."""
        told = self._told.get(publication)
        return None if told is None else [encoding.active for encoding in told]

    def forget(self, alive: Mapping[int, object]) -> None:
        """Drops what is remembered of publications that ended."""
        for handle in self._fitted.keys() - alive.keys():
            del self._fitted[handle]
            self._told.pop(handle, None)

    def release(self, publication: int) -> tuple[EncodingWanted, ...] | None:
        """Nothing is restrained any more; what is to be told, if anything was."""
        self._fitted.pop(publication, None)
        told = self._told.pop(publication, None)
        if told is None or all(encoding == EncodingWanted(True, None) for encoding in told):
            return None
        return (EncodingWanted(True, None),) * len(told)

    def fit(
        self, publication: Publication, looking: Sequence[Looking], meters: Meters, now: float
    ) -> tuple[EncodingWanted, ...] | None:
        """What to ask of a publication's encodings; ``None`` if nothing new."""
        handle, count = publication.handle, publication.encodings
        before = self._fitted.get(handle)
        potentials = []
        for index in range(count):
            if before is None or before.rates[index] is None:
                meters.note_unrestrained(handle, index, now)
            potentials.append(meters.potential(publication, index))
        fitted = self._fitted[handle] = fit(now, potentials, list(_viewings(looking)), before)
        wanted = tuple(
            EncodingWanted(active, rate) for active, rate in zip(fitted.active, fitted.rates, strict=True)
        )
        if wanted == self._told.get(handle, (EncodingWanted(True, None),) * count):
            return None
        self._told[handle] = wanted
        return wanted


def _viewings(looking: Sequence[Looking]) -> Iterator[Viewing]:
    for one in looking:
        if one.demand.hidden:
            continue
        sending = one.choice.sending
        taken = sending.option.encoding if isinstance(sending, Forward | Still) else None
        yield Viewing(share=one.choice.share if one.known else 0.0, cap=one.demand.cap, taken=taken)
