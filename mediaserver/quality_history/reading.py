"""A second's samples: what the plane counted, beside what the browser claims. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from msgspec.structs import replace

from mediaserver import layers
from mediaserver.events import Step
from mediaserver.layers import Choice, Decision, Still
from mediaserver.operations.model import (
    LegSample,
    PictureReading,
    Sample,
    SourceSample,
    ViewSample,
)
from mediaserver.quality_history.claims import Claim, LinkClaim, SourceClaim, ViewClaim
from mediaserver.quality_history.delay import delay
from mediaserver.quality_history.figures import NO_LEG, NO_VIEW, Change, Difference, count, number
from mediaserver.room import Publication
from mediaserver.session import Session
from mediaserver.transport.transport import Transport

_NO_CLAIM = Claim(clock_ms=0)
_STEPS = {step: cast("Step", step.name.lower()) for step in layers.Step}
SILENT_SECONDS = 2.0
"""A source that has sent nothing for so long has no frame rate, whatever its last frames were."""


def sample(
    session: Session,
    found: Difference,
    at_ms: int,
    now: float,
    *,
    pictures: Mapping[str, PictureReading],
    arrived: Mapping[str, float],
    decided: Decision | None,
) -> Sample:
    """One participant. ``now`` is the clock that claims were taken by, in seconds; ``arrived``: how old each
    publication is when the server has it; ``decided``: what they are sent, as last decided."""
    told = session.participant.statistics
    current = told.current(now)
    claim = current or _NO_CLAIM
    sources = {one.publication: one for one in claim.sources}
    views = {one.publication: one for one in claim.views}
    choices = {} if decided is None else decided.choices
    receiving = session.subscribing or session.watching
    down = (
        None
        if receiving is None
        else _down(receiving.transport, found, claim.subscribe, told.relayed("subscribe"))
    )
    return Sample(
        at_ms=at_ms,
        participant=session.participant.id,
        role=session.participant.role,
        connected=session.participant.connected,
        clock_skew_seconds=None if current is None else told.skew_seconds(now),
        claims_age_seconds=told.age(now),
        up=_up(session, found, claim.publish),
        down=down,
        step=None if decided is None else _STEPS[decided.step],
        sources=tuple(
            _source(publication, found, sources.get(publication.id), pictures.get(publication.id))
            for publication in published(session)
        ),
        views=tuple(
            _view(
                session,
                publication,
                handle,
                found,
                views.get(publication.id),
                delay(arrived.get(publication.id), down, views.get(publication.id)),
                choices.get(handle),
            )
            for publication, handle in watched(session)
        ),
    )


def published(session: Session) -> list[Publication]:
    """What a session publishes and the room knows."""
    if session.publishing is None:
        return []
    known = session.room.publications
    return [known[one.publication] for one in session.publishing.sources.values() if one.publication in known]


def watched(session: Session) -> list[tuple[Publication, int]]:
    """What a session is sent, with the subscription's handle."""
    known = session.room.publications
    if session.subscribing is not None:
        return [
            (known[id], handle) for id, handle in session.subscribing.subscriptions.items() if id in known
        ]
    if session.watching is None:
        return []
    return [
        (known[slot.publication], slot.subscription)
        for slot in session.watching.slots
        if slot.subscription is not None and slot.publication in known
    ]


def _up(session: Session, found: Difference, claim: LinkClaim | None) -> LegSample | None:
    if session.publishing is None:
        return None
    transport = session.publishing.transport
    change = found.transport(transport.handle)
    before = after = None
    due = lost = repaired = 0
    for publication in published(session):
        part = found.publication(publication.handle)
        lost += part.grown("unrepaired")
        repaired += part.grown("repaired")
        due += part.grown("packets") + part.grown("unrepaired")
    if due:
        before, after = min(1.0, (lost + repaired) / due), lost / due
    # What the plane measures here is the time of a repair; before the first it is not known.
    measured = number(change.now, "round_trip_in_seconds")
    return LegSample(
        phase=transport.phase,
        bits_per_second=change.bits_per_second("bytes_in"),
        loss_before_ratio=before,
        loss_after_ratio=after,
        round_trip_seconds=_seconds(claim.round_trip_ms)
        if claim and claim.round_trip_ms is not None
        else measured,
        jitter_seconds=max(
            (
                number(found.publication(one.handle).now, "jitter_seconds") or 0.0
                for one in published(session)
            ),
            default=None,
        ),
        relayed=session.participant.statistics.relayed("publish"),
        path_changes=transport.path_changes,
    )


def _down(
    transport: Transport, found: Difference, claim: LinkClaim | None, relayed: bool | None
) -> LegSample:
    phase, estimate, loss, round_trip, jitter, queue, grown = found.legs.get(transport.handle, NO_LEG)
    return LegSample(
        phase=transport.phase,
        bits_per_second=round(grown * 8 / found.seconds),
        loss_before_ratio=loss,
        loss_after_ratio=claim.loss if claim else None,
        round_trip_seconds=_link_round_trip(claim) if round_trip is None else round_trip,
        jitter_seconds=jitter,
        estimate_bits_per_second=estimate,
        queue_delay_seconds=queue,
        silent=phase == "silent",
        relayed=relayed,
        path_changes=transport.path_changes,
    )


def _source(
    publication: Publication, found: Difference, claim: SourceClaim | None, picture: PictureReading | None
) -> SourceSample:
    change = found.publication(publication.handle)
    before, after = change.losses()
    age = number(change.now, "age_ms")
    age_seconds = None if age is None else age / 1000
    return SourceSample(
        publication=publication.id,
        kind=publication.kind,
        source_type=publication.source_type,
        bits_per_second=count(change.now, "bits_per_second"),
        loss_before_ratio=before,
        loss_after_ratio=after,
        jitter_seconds=number(change.now, "jitter_seconds"),
        age_seconds=age_seconds,
        layers=publication.layers,
        top_layer=publication.top_layer,
        muted=publication.muted,
        frames_per_second=_frame_rate(publication, change, age_seconds),
        picture=picture,
        **_of_source(claim),
    )


def _frame_rate(publication: Publication, change: Change, age_seconds: float | None) -> float | None:
    interval = number(change.now, "frame_interval_seconds")
    if publication.kind != "video" or not interval:
        return None
    return 0.0 if age_seconds is not None and age_seconds > SILENT_SECONDS else round(1 / interval, 2)


def _of_source(claim: SourceClaim | None) -> dict[str, Any]:
    if claim is None:
        return {}
    return {
        "captured_per_second": claim.captured_per_second,
        "encoded_per_second": claim.encoded_per_second,
        "width": claim.width,
        "height": claim.height,
        "limited_by": claim.limited_by,
        "encode_seconds": _seconds(claim.encode_ms),
    }


def _view(
    session: Session,
    publication: Publication,
    handle: int,
    found: Difference,
    claim: ViewClaim | None,
    delay_seconds: float | None,
    choice: Choice | None,
) -> ViewSample:
    state, layer, loss, octets, nacks, keyframe_requests = found.views.get(handle, NO_VIEW)
    freezes, freeze_seconds = session.participant.statistics.take_freezes(publication.id, found.seconds)
    view = ViewSample(
        publication=publication.id,
        kind=publication.kind,
        state=state or "awaiting_keyframe",
        reason=None if choice is None else choice.reason,
        layer=layer,
        still_seconds=choice.sending.interval_seconds
        if choice is not None and isinstance(choice.sending, Still)
        else None,
        bits_per_second=round(octets * 8 / found.seconds),
        loss_before_ratio=loss,
        nacks=nacks,
        keyframe_requests=keyframe_requests,
        freezes=freezes,
        freeze_seconds=freeze_seconds,
        delay_seconds=delay_seconds,
    )
    # Viewers by WHEP never claim anything.
    return view if claim is None else replace(view, **_of_view(claim))


def _of_view(claim: ViewClaim) -> dict[str, Any]:
    return {
        "loss_after_ratio": claim.loss,
        "frames_per_second": claim.frames_per_second,
        "dropped_ratio": claim.dropped,
        "decode_seconds": _seconds(claim.decode_ms),
        "jitter_buffer_seconds": _seconds(claim.buffer_ms),
        "concealed_ratio": claim.concealed,
        "width": claim.width,
        "height": claim.height,
    }


def _link_round_trip(claim: LinkClaim | None) -> float | None:
    return None if claim is None else _seconds(claim.round_trip_ms)


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
