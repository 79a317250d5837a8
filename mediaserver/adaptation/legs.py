"""How good each leg is: the publishers' ways to the server and the server's way to one viewer, as values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from mediaserver.adaptation.meters import Downlink, Meters
from mediaserver.events import Cause as CauseName
from mediaserver.events import Quality, SourceQuality, StandingChanged
from mediaserver.events import Step as StepName
from mediaserver.ids import ParticipantId
from mediaserver.layers import Choice, Forward, Link, Pause, Still
from mediaserver.layers.announcing import Standing
from mediaserver.room import Publication

BROKEN_UPLOAD = 0.02
"""Share of packets that stayed missing on the way in: every viewer's picture breaks."""
RATE_CHANGED = 0.15
LOSS_CHANGED = 0.01
TIME_CHANGED_MS = 30
OVERHEAD_CHANGED = 0.05
"""Smaller changes of a leg are not told."""


def standing_changed(participant: ParticipantId, standing: Standing) -> StandingChanged:
    """A standing as it is told."""
    step, cause = _names(standing)
    return StandingChanged(participant, step, cause)


def _names(standing: Standing) -> tuple[StepName, CauseName | None]:
    cause = None if standing.cause is None else standing.cause.value
    return cast(StepName, standing.step.name.lower()), cast("CauseName | None", cause)


def upload_is_broken(publications: Sequence[Publication], meters: Meters) -> bool:
    """Whether a picture comes in so damaged that no viewer's link is to blame."""
    return any(
        meters.uplink(one.handle).unrepaired > BROKEN_UPLOAD for one in publications if one.kind == "video"
    )


def quality(
    standing: Standing,
    link: Link,
    round_trip: float | None,
    downlink: Downlink,
    sources: Sequence[tuple[Publication, Choice]],
    meters: Meters,
) -> Quality:
    """All legs that end at one viewer."""
    step, cause = _names(standing)
    return Quality(
        step=step,
        cause=cause,
        estimate_kbit=None if link.estimate is None else link.estimate // 1_000,
        sent_kbit=int(downlink.sent) // 1_000,
        loss=round(link.inherent_loss + link.congestion_loss, 3),
        rtt_ms=None if round_trip is None else round(round_trip * 1_000),
        jitter_ms=None if downlink.jitter_seconds is None else round(downlink.jitter_seconds * 1_000),
        queue_ms=round(link.queue_delay_seconds * 1_000),
        repair_overhead=round(downlink.repair_overhead + downlink.parity_overhead, 2),
        sources=tuple(_source(publication, choice, meters) for publication, choice in sources),
    )


def _source(publication: Publication, choice: Choice, meters: Meters) -> SourceQuality:
    uplink = meters.uplink(publication.handle)
    layer, still = None, None
    match choice.sending:
        case Forward(option):
            layer = option.encoding
        case Still(option, interval):
            layer, still = option.encoding, interval
        case Pause():
            pass
    return SourceQuality(
        publication=publication.id,
        layer=layer,
        still_seconds=still,
        reason=choice.reason.value,
        upload_loss=round(uplink.loss, 3),
        upload_jitter_ms=round(uplink.jitter_seconds * 1_000),
    )


def is_news(new: Quality, told: Quality | None) -> bool:
    """Whether a person could see a difference."""
    if told is None or (new.step, new.cause, len(new.sources)) != (told.step, told.cause, len(told.sources)):
        return True
    capacity, before = new.estimate_kbit or 0, told.estimate_kbit or 0
    figures = (
        _apart(capacity, before, RATE_CHANGED * max(capacity, before)),
        _apart(new.loss, told.loss, LOSS_CHANGED),
        _apart(new.rtt_ms or 0, told.rtt_ms or 0, TIME_CHANGED_MS),
        _apart(new.jitter_ms or 0, told.jitter_ms or 0, TIME_CHANGED_MS),
        _apart(new.queue_ms, told.queue_ms, TIME_CHANGED_MS),
        _apart(new.repair_overhead, told.repair_overhead, OVERHEAD_CHANGED),
    )
    pairs = zip(new.sources, told.sources, strict=True)
    return any(figures) or any(_source_is_news(a, b) for a, b in pairs)


def _source_is_news(new: SourceQuality, told: SourceQuality) -> bool:
    same = (new.publication, new.layer, new.still_seconds, new.reason) == (
        told.publication,
        told.layer,
        told.still_seconds,
        told.reason,
    )
    return not same or _apart(new.upload_loss, told.upload_loss, LOSS_CHANGED)


def _apart(new: float, told: float, by: float) -> bool:
    return abs(new - told) > by
