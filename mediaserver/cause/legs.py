"""The two ways of a picture: from a publisher to the server, from there to a viewer. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from mediaserver.cause import thresholds as limits
from mediaserver.cause.thresholds import Passed, above, below, finding, true
from mediaserver.layers import Reason
from mediaserver.operations.model import (
    Finding,
    LegSample,
    Measure,
    PictureVerdict,
    Sample,
    SourceSample,
    ViewSample,
)

STILL_BY_NATURE = frozenset({"ultrasound", "monitor"})
"""An ultrasound in freeze and a monitor are legitimately still."""
PICTURES: dict[PictureVerdict, Measure] = {
    "black": "picture_black",
    "over_exposed": "picture_over_exposed",
    "blurred": "picture_blurred",
    "corrupt": "picture_corrupt",
    "unchanged": "picture_unchanged",
    "test_pattern": "picture_test_pattern",
}
MIN_FRAMES_PER_SECOND = 5.0
"""Below this a camera's frames are too few to judge an encoder or decoder by."""
OVERLOADED = frozenset({"encoder_limited_by_cpu", "encode_load", "dropped_frames", "decode_load"})
"""A browser says so of its own computer."""
LATE = frozenset({"round_trip", "jitter", "concealed", "freeze", "path_silent"})
"""What a computer without processor time does to a good way as well: it sends, answers and plays late.
Loss and a standing queue are the way's alone."""
SCARCE = frozenset({Reason.LINK, Reason.PRIORITY})
"""The way keeps something from the viewer. Where it does not, a low estimate hurts nobody: estimates grow as
far as they are used, and of a source that sends little they stay low."""


# ---- Publisher to server ----


def publishing(sample: Sample) -> list[Finding]:
    """What is wrong between a publisher's cameras and the server. The way explains what its sources lack."""
    if sample.up is None or not sample.sources:
        return []
    way = _uplink(sample)
    found: list[Finding] = []
    cut = way is not None and any(one.measure in ("interrupted", "nothing_arrives") for one in way.evidence)
    for source in sample.sources:
        if source.kind != "video" or source.muted:
            continue
        if not cut and (frozen := _frozen(sample, source, lossy=way is not None)) is not None:
            found.append(frozen)
        elif (device := _encoder(sample, source)) is not None:
            found.append(device)
    return found if way is None or _explained(way, found) else [way, *found]


def _explained(way: Finding, of_pictures: list[Finding]) -> bool:
    """Whether a computer at the end of a way, hurt no less, explains all that seems wrong with it."""
    overloaded = {one.severity for one in of_pictures if any(e.measure in OVERLOADED for e in one.evidence)}
    late = all(one.measure in LATE for one in way.evidence)
    return late and ("hurt" in overloaded or way.severity in overloaded)


def _uplink(sample: Sample) -> Finding | None:
    leg = sample.up
    assert leg is not None, "asked by publishing"
    limited = any(source.limited_by == "bandwidth" for source in sample.sources)
    return finding(
        "relay" if leg.relayed else "publisher_uplink",
        *_way(leg),
        above(limits.LOSS_BEFORE, leg.loss_before_ratio),
        above(limits.LOSS_AFTER, leg.loss_after_ratio),
        above(limits.JITTER, leg.jitter_seconds),
        true("nothing_arrives", "hurt") if _nothing_arrives(sample, leg) else None,
        true("encoder_limited_by_bandwidth", "watch") if limited else None,
        participant=sample.participant,
    )


def _way(leg: LegSample) -> Iterator[Passed]:
    """What is judged alike in both directions."""
    yield true("interrupted", "hurt") if leg.phase == "interrupted" else None
    yield above(limits.ROUND_TRIP, leg.round_trip_seconds)
    yield above(limits.QUEUE_DELAY, leg.queue_delay_seconds)


def _nothing_arrives(sample: Sample, leg: LegSample) -> bool:
    """A stopped camera's browser still sends reports and sound; a cut cable sends nothing at all."""
    sending = [source for source in sample.sources if not source.muted and source.kind == "video"]
    silent = [source for source in sending if (source.age_seconds or 0.0) > limits.SOURCE_AGE.watch]
    return leg.phase == "connected" and bool(sending) and silent == sending and leg.bits_per_second == 0


def _frozen(sample: Sample, source: SourceSample, *, lossy: bool) -> Finding | None:
    """``lossy``: a gap in what arrives is the way's, unless the camera itself is known to stand."""
    seen: Passed = None
    if source.picture is not None and source.picture != "not_watched":
        harmless = source.picture == "unchanged" and source.source_type in STILL_BY_NATURE
        standing = source.picture in ("black", "unchanged", "test_pattern", "corrupt") and not harmless
        seen = true(PICTURES[source.picture], "hurt" if standing else "watch")
    return finding(
        "source_frozen",
        true("camera_gives_no_frames", "hurt") if source.captured_per_second == 0 else None,
        None if lossy else above(limits.SOURCE_AGE, source.age_seconds),
        seen,
        participant=sample.participant,
        publication=source.publication,
    )


def _encoder(sample: Sample, source: SourceSample) -> Finding | None:
    captured, encoded = source.captured_per_second, source.encoded_per_second
    judged = captured is not None and captured >= MIN_FRAMES_PER_SECOND
    load = source.encode_seconds * captured if judged and source.encode_seconds and captured else None
    # Fewer frames for want of bandwidth are the way's.
    scarce = source.limited_by == "bandwidth"
    missing = 1 - encoded / captured if judged and encoded is not None and captured and not scarce else None
    return finding(
        "publisher_device",
        true("encoder_limited_by_cpu", "watch") if source.limited_by == "cpu" else None,
        above(limits.ENCODE_LOAD, load),
        above(limits.FRAMES_MISSING, missing),
        participant=sample.participant,
        publication=source.publication,
    )


# ---- Server to viewer ----


def is_well(sample: Sample) -> bool:
    """Whether surely nothing is wrong on the way to a viewer nor at its end.

    So it is with nearly all in nearly every second, and collecting the evidence of nothing takes longer.
    """
    leg = sample.down
    if leg is None:
        return True
    return (
        leg.phase != "interrupted"
        and not leg.silent
        and (leg.loss_before_ratio or 0.0) <= limits.LOSS_BEFORE.watch
        and (leg.loss_after_ratio or 0.0) <= limits.LOSS_AFTER.watch
        and (leg.round_trip_seconds or 0.0) <= limits.ROUND_TRIP.watch
        and (leg.queue_delay_seconds or 0.0) <= limits.QUEUE_DELAY.watch
        and all(map(_is_seen_well, sample.views))
    )


def _is_seen_well(view: ViewSample) -> bool:
    return (
        view.reason not in SCARCE
        and (view.loss_before_ratio or 0.0) <= limits.LOSS_BEFORE.watch
        and (view.loss_after_ratio or 0.0) <= limits.LOSS_AFTER.watch
        and (view.concealed_ratio or 0.0) <= limits.CONCEALED.watch
        and (view.dropped_ratio or 0.0) <= limits.DROPPED_FRAMES.watch
        and (view.decode_seconds or 0.0) * (view.frames_per_second or 0.0) <= limits.DECODE_LOAD.watch
    )


def viewing(sample: Sample, sources: dict[str, SourceSample], upstream: set[str]) -> list[Finding]:
    """What is wrong between the server and a viewer's screen.

    ``upstream``: publications whose trouble begins before the server: they tell nothing of the viewer.
    """
    shown = [one for one in sample.views if one.state != "paused_by_viewer"]
    if sample.down is None or not shown:
        return []
    views = [one for one in shown if one.publication not in upstream]
    # What a publisher's way lost is missing on every viewer's way as well.
    passed_on = [sources[one.publication].loss_after_ratio for one in shown if one.publication in sources]
    way = _downlink(sample, sample.down, views, max((loss or 0.0 for loss in passed_on), default=0.0))
    pictures = (
        _decoder(sample, view, sources.get(view.publication)) for view in views if view.kind == "video"
    )
    devices = [one for one in pictures if one is not None]
    return devices if way is None or _explained(way, devices) else [way]


def _downlink(sample: Sample, leg: LegSample, views: list[ViewSample], passed_on: float) -> Finding | None:
    def worst(name: str, own: float | None = None) -> float | None:
        for view in views:
            value: float | None = getattr(view, name)
            if value is not None and (own is None or value > own):
                own = value
        return own

    def of_this_way(loss: float | None) -> float | None:
        return None if loss is None else max(0.0, loss - passed_on)

    scarce = any(view.kind == "video" and view.reason in SCARCE for view in views)
    estimate = leg.estimate_bits_per_second if scarce else None
    concealed = worst("concealed_ratio")
    way = finding(
        "relay" if leg.relayed else "viewer_downlink",
        *_way(leg),
        # Whoever watches has no picture for it, or soon has none.
        true("path_silent", "hurt") if leg.silent else None,
        above(limits.LOSS_BEFORE, of_this_way(worst("loss_before_ratio", leg.loss_before_ratio))),
        above(limits.LOSS_AFTER, of_this_way(worst("loss_after_ratio", leg.loss_after_ratio))),
        above(limits.CONCEALED, concealed),
        below("estimate", "bits_per_second", estimate, limits.LOWEST_ESTIMATE, limits.LOWEST_ESTIMATE / 2),
        participant=sample.participant,
    )
    if way is None:
        return None
    # A way that is merely to be watched hurts when pictures stand because of it.
    frozen = _froze(worst("freeze_seconds"))
    if frozen is None:
        return way
    known = [(way.severity, one) for one in way.evidence]
    return finding(way.cause, *known, frozen, participant=sample.participant)


def _froze(seconds: float | None) -> Passed:
    """Of one second: browsers tell of a freeze when it is over, and so of more than there is in it."""
    return above(limits.FREEZE, None if seconds is None else min(1.0, seconds))


def _decoder(sample: Sample, view: ViewSample, source: SourceSample | None) -> Finding | None:
    rate = view.frames_per_second
    load = view.decode_seconds * rate if view.decode_seconds is not None and rate else None
    dropped, late = above(limits.DROPPED_FRAMES, view.dropped_ratio), above(limits.DECODE_LOAD, load)
    if dropped is None and late is None:
        # A picture stands for many reasons; of its computer only these two tell.
        return None
    held_back = view.still_seconds is not None or view.state != "forwarding"
    frozen = None if held_back else _froze(view.freeze_seconds)
    sent = None if source is None else source.frames_per_second
    judged = frozen is not None and rate is not None and sent is not None and sent >= MIN_FRAMES_PER_SECOND
    missing = 1 - rate / sent if judged and rate is not None and sent else None
    return finding(
        "viewer_device",
        dropped,
        late,
        above(limits.FRAMES_MISSING, missing),
        frozen,
        participant=sample.participant,
        publication=view.publication,
    )
