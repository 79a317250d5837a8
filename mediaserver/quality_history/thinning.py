"""Several samples of one participant as one: what an hour was like, a day later. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar, get_args

import msgspec

from mediaserver.events import Step
from mediaserver.operations.model import LegSample, Sample, SourceSample, ViewSample

Part = TypeVar("Part", Sample, LegSample, SourceSample, ViewSample)

SUMMED = frozenset({"freezes", "freeze_seconds", "nacks", "keyframe_requests"})
"""Counts of what happened since the sample before."""
WORST = frozenset({"age_seconds", "claims_age_seconds", "path_changes"})
_WHOLE = frozenset(
    {"at_ms", "bits_per_second", "estimate_bits_per_second", "width", "height", "layer", "top_layer"}
)
"""Averages are no measure of these names' kind, or must stay whole numbers."""
_AVERAGED_WHOLE = frozenset({"bits_per_second", "estimate_bits_per_second"})
_STEPS: tuple[Step | None, ...] = (None, *get_args(Step))
"""The best first; not known says less than any."""


def thinned(samples: Sequence[Sample]) -> Sample:
    """One for all, at the first's time: means of measures, sums of counts, the worst ages and steps, else the
    last words."""
    whole = _merged(samples)
    ups = [sample.up for sample in samples if sample.up is not None]
    downs = [sample.down for sample in samples if sample.down is not None]
    return msgspec.structs.replace(
        whole,
        at_ms=samples[0].at_ms,
        connected=all(sample.connected for sample in samples),
        step=max((sample.step for sample in samples), key=_STEPS.index),
        up=_merged(ups) if ups else None,
        down=_leg_down(downs) if downs else None,
        sources=_by_publication(sample.sources for sample in samples),
        views=_by_publication(sample.views for sample in samples),
    )


def _leg_down(legs: Sequence[LegSample]) -> LegSample:
    return msgspec.structs.replace(_merged(legs), silent=any(leg.silent for leg in legs))


def _by_publication(parts: Iterable[Sequence[Any]]) -> tuple[Any, ...]:
    found: dict[str, list[Any]] = {}
    for several in parts:
        for part in several:
            found.setdefault(part.publication, []).append(part)
    return tuple(_merged(same) for same in found.values())


def _merged(parts: Sequence[Part]) -> Part:
    last = parts[-1]
    changes: dict[str, Any] = {}
    for name in last.__struct_fields__:
        values = [value for part in parts if _is_number(value := getattr(part, name))]
        if values and (rule := _rule(name)) is not None:
            changes[name] = rule(values)
    return msgspec.structs.replace(last, **changes)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _rule(name: str) -> Callable[[Sequence[float]], float] | None:
    if name in SUMMED:
        return sum
    if name in WORST:
        return max
    if name in _AVERAGED_WHOLE:
        return lambda known: round(sum(known) / len(known))
    if name in _WHOLE:
        return None
    return lambda known: sum(known) / len(known)
