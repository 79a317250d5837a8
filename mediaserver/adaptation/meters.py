"""The plane's meters, read once a second for all: what layers take, how links and uplinks fare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias, cast

from mediaserver._dataplane import Figures as PlaneFigures
from mediaserver._dataplane import FiguresByHandle, Stats
from mediaserver.layers import Encoding
from mediaserver.layers.rates import SPEECH, Matrix, is_settled, nominal
from mediaserver.layers.rungs import USUAL_HEIGHT
from mediaserver.room import Publication

SPATIAL_LAYERS, TEMPORAL_LAYERS = 3, 4
"""Rows for each encoding in the plane's ``wire_rates``, and figures in a row."""
NOTICEABLE = 0.25
"""A rate that changed by so much since layers were last chosen by it is another rate."""
BUSY = 0.9
"""A worker that works for this share of the time forwards late."""

Figures: TypeAlias = PlaneFigures | Mapping[str, Any]
_SENT = ("bytes_out", "repair_bytes", "parity_bytes", "probe_bytes")


@dataclass(frozen=True, slots=True)
class Uplink:
    """The way of one publication to the server over the last second."""

    loss: float = 0.0
    """Share of packets missing before repair."""
    unrepaired: float = 0.0
    """Share that stayed missing: every viewer misses it."""
    jitter_seconds: float = 0.0


class Downlink(NamedTuple):
    """What was counted on the way to one viewer over the last second."""

    sent: float = 0.0
    """Bits per second, repair and probes included."""
    repair_overhead: float = 0.0
    """Bytes of repair for each byte of media."""
    parity_overhead: float = 0.0
    """The same of parity, which takes only what media leave of the link."""
    jitter_seconds: float | None = None
    """As the viewer reports it."""


@dataclass(slots=True)
class _Source:
    """What is remembered of one publication."""

    rates: tuple[Matrix, ...] = ()
    noticed: tuple[float, ...] = ()
    """By encoding: its rate when viewers were last told to look at it."""
    unrestrained: dict[int, float] = field(default_factory=dict)
    flowing: dict[int, float] = field(default_factory=dict)
    """Encoding -> since when it flows."""
    seen: int = 0
    """Encodings up to the highest that ever flowed: an encoder may have fewer than it was given room for."""
    counters: tuple[int, int, int] = (0, 0, 0)
    uplink: Uplink = Uplink()


class Meters:
    """Handles are the plane's. All that ended is forgotten at the next reading."""

    def __init__(self) -> None:
        self._sources: dict[int, _Source] = {}
        self._seconds = 0.0
        """Between the last two snapshots."""
        self._transports: FiguresByHandle | Mapping[int, Figures] = {}
        self._transports_before: FiguresByHandle | Mapping[int, Figures] = {}
        self._worked: list[float] = []
        self._busy: frozenset[int] = frozenset()
        self._read_at: float | None = None
        self.worst_upload = 0.0
        """The largest share of packets that stayed missing on any publication's way in."""

    # ---- Reading ----

    def read(self, stats: Stats, now: float) -> list[int]:
        """Takes a snapshot; the publications of which a rate changed noticeably."""
        elapsed = now - self._read_at if self._read_at is not None else 0.0
        self._read_at = now
        changed = self._read_publications(stats.publications, now)
        self._seconds = elapsed
        self._transports_before, self._transports = self._transports, stats.transports
        self._read_workers(stats.workers, elapsed)
        return changed

    def _read_publications(self, figures: FiguresByHandle | Mapping[int, Figures], now: float) -> list[int]:
        for handle in [one for one in self._sources if one not in figures]:
            # One that began a moment ago is not in the snapshot yet; it begins again then.
            del self._sources[handle]
        changed = []
        for handle, found in figures.items():
            source = self._sources.setdefault(handle, _Source())
            source.rates = _matrices(found.get("wire_rates", ()))
            source.uplink = _uplink(source, found)
            _flow(source, found.get("layers", ()), now)
            tops = tuple(rows[-1][-1] for rows in source.rates)
            if _differ(tops, source.noticed):
                source.noticed = tops
                changed.append(handle)
        self.worst_upload = max((one.uplink.unrepaired for one in self._sources.values()), default=0.0)
        return changed

    def _read_workers(self, figures: Sequence[Mapping[str, Any]], elapsed: float) -> None:
        worked = [float(worker.get("busy_seconds") or 0.0) for worker in figures]
        if len(worked) == len(self._worked) and elapsed > 0:
            pairs = enumerate(zip(worked, self._worked, strict=True))
            self._busy = frozenset(index for index, (new, old) in pairs if (new - old) / elapsed > BUSY)
        self._worked = worked

    # ---- Asking ----

    def encodings(
        self, publication: Publication, flowing: Sequence[int], active: Sequence[bool] | None, now: float
    ) -> tuple[Encoding, ...]:
        """A publication's encodings for layer choice. ``active``: what its publisher was asked to send."""
        handle, count = publication.handle, publication.encodings
        source = self._sources.setdefault(handle, _Source())
        _flow(source, flowing, now)
        found = []
        for index in range(min(max(source.seen, 1), count)):
            since = source.flowing.get(index)
            found.append(
                Encoding(
                    rates=source.rates[index] if index < len(source.rates) else (),
                    flows=since is not None,
                    settled=is_settled(since, now),
                    dormant=since is None and active is not None and not active[index],
                    height=USUAL_HEIGHT >> (count - 1 - index),
                    potential=self.potential(publication, index),
                )
            )
        return tuple(found)

    def potential(self, publication: Publication, index: int) -> int:
        """What an encoding takes on the wire if nothing restrains it: as measured, or by its profile."""
        if publication.kind == "audio":
            return int(SPEECH)
        source = self._sources.get(publication.handle)
        known = None if source is None else source.unrestrained.get(index)
        return int(known or nominal(publication.source_type, publication.encodings, index))

    def rates(self, publication: Publication) -> tuple[int, ...]:
        """Bits per second of each encoding a publisher may send, lowest first; 0 for what does not flow."""
        source = self._sources.get(publication.handle)
        if source is None:
            return (0,) * publication.encodings
        tops = [int(rows[-1][-1]) for rows in source.rates[: publication.encodings]]
        tops += [0] * (publication.encodings - len(tops))
        return tuple(rate if index in source.flowing else 0 for index, rate in enumerate(tops))

    def rate(self, handle: int, index: int) -> float:
        """Bits per second of one encoding of a publication with all its layers; 0 where unknown."""
        source = self._sources.get(handle)
        return source.rates[index][-1][-1] if source is not None and index < len(source.rates) else 0.0

    def note_unrestrained(self, handle: int, index: int, now: float) -> None:
        """Nothing restrains this encoding's encoder: what it takes now is what it would."""
        source = self._sources.get(handle)
        if source is None or index >= len(source.rates) or index not in source.flowing:
            return
        rate = source.rates[index][-1][-1]
        if rate > 0 and is_settled(source.flowing[index], now):
            source.unrestrained[index] = rate

    def uplink(self, handle: int) -> Uplink:
        """Of a publication."""
        source = self._sources.get(handle)
        return Uplink() if source is None else source.uplink

    def downlink(self, transport: int) -> Downlink:
        """Of a viewer's transport: counted when somebody asks, which for most viewers is seldom."""
        now, before = self._transports.get(transport), self._transports_before.get(transport)
        if now is None or before is None or self._seconds <= 0:
            return Downlink()
        bytes_out, repair, parity, probes = (
            max((now.get(name) or 0) - (before.get(name) or 0), 0) for name in _SENT
        )
        media = max(bytes_out - repair - parity - probes, 1)
        sent = bytes_out * 8 / self._seconds
        return Downlink(sent, repair / media, parity / media, now.get("jitter_seconds"))

    def is_busy(self, worker: int) -> bool:
        """Whether this worker had hardly a pause in the last second."""
        return worker in self._busy


def _matrices(flat: Sequence[float]) -> tuple[Matrix, ...]:
    rows = [
        tuple(float(rate) for rate in flat[at : at + TEMPORAL_LAYERS])
        for at in range(0, len(flat), TEMPORAL_LAYERS)
    ]
    return tuple(_told_apart(rows[at : at + SPATIAL_LAYERS]) for at in range(0, len(rows), SPATIAL_LAYERS))


def _told_apart(rows: Sequence[tuple[float, ...]]) -> Matrix:
    """Without spatial layers that add nothing: most encodings have one."""
    count = len(rows)
    while count > 1 and rows[count - 2][-1] >= rows[count - 1][-1]:
        count -= 1
    return tuple(rows[:count])


def _flow(source: _Source, flowing: Sequence[int], now: float) -> None:
    for gone in source.flowing.keys() - set(flowing):
        del source.flowing[gone]
    for index in flowing:
        source.flowing.setdefault(index, now)
        source.seen = max(source.seen, index + 1)


def _differ(new: Sequence[float], old: Sequence[float]) -> bool:
    if len(new) != len(old):
        return True
    return any(abs(a - b) > NOTICEABLE * max(a, b) for a, b in zip(new, old, strict=True))


def _uplink(source: _Source, found: Figures) -> Uplink:
    counters = tuple(int(found.get(name) or 0) for name in ("packets", "repaired", "unrepaired"))
    packets, repaired, missing = (
        max(new - old, 0) for new, old in zip(counters, source.counters, strict=True)
    )
    source.counters = cast("tuple[int, int, int]", counters)
    expected = max(packets + missing, 1)
    return Uplink(
        loss=min((repaired + missing) / expected, 1.0),
        unrepaired=min(missing / expected, 1.0),
        jitter_seconds=float(found.get("jitter_seconds") or 0.0),
    )
