"""Gathers an incident report from the history. It names no person, no address, no secret."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec.structs import replace

from mediaserver import __version__, _dataplane
from mediaserver.cause.texts import CAUSES
from mediaserver.config import Settings
from mediaserver.incident.configuration import told
from mediaserver.incident.model import CauseSpan, IncidentReport, LegSummary
from mediaserver.incident.reduction import Reduction
from mediaserver.operations.model import LegSample, Sample, TimelineEvent
from mediaserver.quality_history import query
from mediaserver.quality_history.database import Database

MAX_SAMPLES = 20_000
"""Held by a report; where there were more, each stands for several seconds."""
MAX_READ = 500_000
"""Looked at for one report: thirteen hours of ten people."""
MAX_EVENTS = 5_000
MAX_FINDINGS = 20_000
"""Beginnings and ends of findings, from before the report too."""


async def gather(
    database: Database, settings: Settings, room: str, from_ms: int, to_ms: int
) -> IncidentReport:
    """Everything known of a room between two moments."""
    reduction, more_samples, dropped_before_ms = await _samples(database, room, from_ms, to_ms)
    page = await query.timeline(database, room, from_ms, to_ms, limit=MAX_EVENTS)
    standings = await query.findings(database, room, from_ms, to_ms, limit=MAX_FINDINGS)
    stood = await query.spans(database, from_ms, to_ms, room=room, limit=1)

    def made() -> IncidentReport:
        samples = reduction.samples()
        return IncidentReport(
            room=room,
            clinical_class=stood.spans[0].clinical_class if stood.spans else None,
            from_ms=from_ms,
            to_ms=to_ms,
            made_ms=time.time_ns() // 1_000_000,
            version=__version__,
            native_version=_dataplane.__version__,
            configuration=told(settings),
            causes=[
                cause
                for events, ended_ms in standings
                for cause in cause_spans(events, ended_ms, from_ms, to_ms)
            ],
            legs=summaries(samples),
            timeline=page.events,
            samples=samples,
            resolution_seconds=reduction.resolution_seconds,
            truncated=more_samples or page.next is not None,
            dropped_before_ms=dropped_before_ms,
        )

    # Rooms are live meanwhile: the event loop waits for nothing of this.
    return await asyncio.to_thread(made)


async def _samples(
    database: Database, room: str, from_ms: int, to_ms: int
) -> tuple[Reduction, bool, int | None]:
    """The whole span, as fine as a report holds it, whether even so something had to be left out, and before
    when the history has dropped some."""
    reduction = Reduction(MAX_SAMPLES)
    cursor: str | None = None
    read = 0
    while True:
        page = await query.samples(database, room, from_ms, to_ms, cursor=cursor)
        await asyncio.to_thread(reduction.add, page.samples)
        read += len(page.samples)
        cursor = page.next
        if cursor is None or read >= MAX_READ:
            return reduction, cursor is not None, page.dropped_before_ms


def cause_spans(
    events: Iterable[TimelineEvent], ended_ms: int | None, from_ms: int, to_ms: int
) -> list[CauseSpan]:
    """Findings of one standing of a room that lasted at some moment between ``from_ms`` and ``to_ms``.

    ``events`` from the standing's beginning, ``ended_ms`` its end. What still goes on at ``to_ms`` has no
    end; what was cleared and never seen raised began before anything that is known.
    """
    standing: dict[tuple[str, str | None, str | None], CauseSpan] = {}
    spans: list[CauseSpan] = []
    for event in events:
        found = _finding(event)
        if found is None:
            continue
        key = (found.cause.cause, event.participant, event.publication)
        before = standing.pop(key, None)
        if event.kind == "finding_raised":
            standing[key] = found if before is None else _worse(before, found)
        else:
            known = replace(found, began_ms=min(from_ms, event.at_ms)) if before is None else before
            spans.append(replace(known, ended_ms=event.at_ms))
    # With a room that is gone everything ended, also where a crash kept it from saying so.
    over_ms = ended_ms if ended_ms is not None and ended_ms < to_ms else None
    spans += [replace(one, ended_ms=over_ms) for one in standing.values()]
    lasted = [one for one in spans if one.ended_ms is None or one.ended_ms >= from_ms]
    return sorted(lasted, key=lambda one: one.began_ms)


def _finding(event: TimelineEvent) -> CauseSpan | None:
    """What one event says; None for other events, and for causes that this version does not know."""
    cause, _, word = event.detail.partition(" ")
    text = next((known for known in CAUSES.values() if known.cause == cause), None)
    if event.kind not in ("finding_raised", "finding_cleared") or text is None:
        return None
    return CauseSpan(
        cause=text,
        severity="hurt" if word == "hurt" else "watch",
        evidence=event.evidence,
        participant=event.participant,
        began_ms=event.at_ms,
        ended_ms=None,
    )


def _worse(before: CauseSpan, now: CauseSpan) -> CauseSpan:
    """Raised again, as when it grew worse: since the first time, as bad as ever, by the newest evidence."""
    return replace(
        before,
        severity="hurt" if "hurt" in (before.severity, now.severity) else "watch",
        evidence=now.evidence or before.evidence,
    )


def summaries(samples: Sequence[Sample]) -> list[LegSummary]:
    """One line a leg, in order of appearance."""
    legs: dict[tuple[str, Literal["up", "down"]], list[Sample]] = {}
    for sample in samples:
        if sample.up is not None:
            legs.setdefault((sample.participant, "up"), []).append(sample)
        if sample.down is not None:
            legs.setdefault((sample.participant, "down"), []).append(sample)
    return [_summary(participant, direction, seconds) for (participant, direction), seconds in legs.items()]


def _summary(participant: str, direction: Literal["up", "down"], seconds: Sequence[Sample]) -> LegSummary:
    legs: list[LegSample] = [
        leg for one in seconds if (leg := one.up if direction == "up" else one.down) is not None
    ]
    views = [view for one in seconds for view in one.views] if direction == "down" else []
    return LegSummary(
        participant=participant,
        role=seconds[0].role,
        direction=direction,
        samples=len(legs),
        mean_bits_per_second=round(sum(leg.bits_per_second for leg in legs) / len(legs)),
        loss_before_p95_ratio=p95(leg.loss_before_ratio for leg in legs),
        loss_after_p95_ratio=p95(leg.loss_after_ratio for leg in legs),
        round_trip_p95_seconds=p95(leg.round_trip_seconds for leg in legs),
        freezes=sum(view.freezes for view in views),
        freeze_seconds=round(sum(view.freeze_seconds for view in views), 3),
    )


def p95(values: Iterable[float | None]) -> float | None:
    """What 95 of 100 known values do not pass; None when none is known."""
    known = sorted(value for value in values if value is not None)
    return known[min(len(known) - 1, int(0.95 * len(known)))] if known else None
