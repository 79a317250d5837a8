"""What an incident report says, as the operations interface answers it."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from mediaserver.clinical import ClinicalClass
from mediaserver.operations.model import CauseText, Evidence, Sample, Severity, TimelineEvent
from mediaserver.policy import Role


class CauseSpan(Struct, frozen=True, kw_only=True):
    """A finding; it may have begun before the report, and has no end if it lasts at the report's."""

    cause: CauseText
    severity: Severity
    evidence: tuple[Evidence, ...]
    participant: str | None
    began_ms: int
    ended_ms: int | None


class LegSummary(Struct, frozen=True, kw_only=True):
    """One leg over the whole span of a report."""

    participant: str
    role: Role
    direction: Literal["up", "down"]
    samples: int
    mean_bits_per_second: int
    loss_before_p95_ratio: float | None
    loss_after_p95_ratio: float | None
    round_trip_p95_seconds: float | None
    freezes: int
    freeze_seconds: float


class IncidentReport(Struct, frozen=True, kw_only=True):
    """What happened in a room in a span of time."""

    room: str
    clinical_class: ClinicalClass | None
    from_ms: int
    to_ms: int
    made_ms: int
    version: str
    native_version: str
    configuration: dict[str, Any]
    """In force, without secrets, addresses and folders."""
    causes: list[CauseSpan]
    legs: list[LegSummary]
    timeline: list[TimelineEvent]
    samples: list[Sample]
    resolution_seconds: int
    """Each sample stands for so long, at least: one where the whole span fits as it was kept."""
    truncated: bool
    """There were more samples or events than a report holds; ask for a shorter span."""
    dropped_before_ms: int | None
    """As of ``HistoryPage``."""
