"""What happened in a room from one second to the next: two pictures of it compared. Pure.

Participants are compared by their samples: nearly all are as they were, and nothing is made for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from msgspec import Struct

from mediaserver.layers import Reason
from mediaserver.operations.model import Sample, TimelineEvent, TimelineKind, ViewSample
from mediaserver.room import Room


class Source(Struct, frozen=True, gc=False):
    """One publication as the timeline sees it."""

    participant: str
    source_type: str
    muted: bool
    frozen: bool
    layers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """A room in one second."""

    seats: Mapping[str, Sample] = field(default_factory=dict)
    """By participant; only those who are sampled."""
    sources: Mapping[str, Source] = field(default_factory=dict)
    recording: bool = False


FROZEN_MS = 1_000
"""A picture that stands this long is frozen to those who act on it (clinical design, 2.2)."""


def scene(room: Room, samples: Iterable[Sample], *, recording: bool) -> Scene:
    """The room now; ``samples`` are this second's."""
    seats = {sample.participant: sample for sample in samples if sample.participant in room.members}
    sources: dict[str, Source] = {
        one.id: Source(one.participant, one.source_type, one.muted, one.silent_ms >= FROZEN_MS, one.layers)
        for one in room.publications.values()
    }
    return Scene(seats, sources, recording)


def happened(before: Scene, now: Scene, at_ms: int) -> list[TimelineEvent]:
    """In the order: who came, what changed, who went."""

    def event(
        kind: TimelineKind, participant: str | None = None, publication: str | None = None, detail: str = ""
    ) -> TimelineEvent:
        return TimelineEvent(
            at_ms=at_ms, kind=kind, participant=participant, publication=publication, detail=detail
        )

    events: list[TimelineEvent] = []
    came = now.seats.keys() - before.seats.keys()
    events += [event("joined", id, detail=seat.role.value) for id, seat in now.seats.items() if id in came]
    for publication, source in now.sources.items():
        if publication not in before.sources:
            events.append(event("published", source.participant, publication, source.source_type))
        events += [
            event(kind, source.participant, publication, detail)
            for kind, detail in _of_source(before.sources.get(publication), source)
        ]
    for id, seat in now.seats.items():
        known = before.seats.get(id)
        if known is None or not _is_as_before(known, seat):
            events += [
                event(kind, id, publication, detail) for kind, publication, detail in _of_seat(known, seat)
            ]
    for publication, source in before.sources.items():
        if publication not in now.sources:
            events.append(event("unpublished", source.participant, publication))
    went = before.seats.keys() - now.seats.keys()
    events += [event("left", id, detail=seat.role.value) for id, seat in before.seats.items() if id in went]
    if before.recording != now.recording:
        events.append(event("recording_started" if now.recording else "recording_stopped"))
    return events


def _of_source(before: Source | None, now: Source) -> Iterator[tuple[TimelineKind, str]]:
    if before is None:
        return
    if before.muted != now.muted:
        yield "muted" if now.muted else "unmuted", ""
    if before.frozen != now.frozen:
        yield "frozen" if now.frozen else "flows_again", ""
    if before.layers != now.layers:
        yield "layers_changed", " ".join(str(layer) for layer in now.layers)


def _is_as_before(before: Sample, now: Sample) -> bool:
    """Whether surely nothing is to be told."""
    if before.connected != now.connected or len(before.views) != len(now.views):
        return False
    for known, leg in ((before.up, now.up), (before.down, now.down)):
        if known is None or leg is None:
            if known is not leg:
                return False
        elif known.phase != leg.phase or known.path_changes != leg.path_changes:
            return False
    for old, new in zip(before.views, now.views, strict=True):
        if old.layer != new.layer or old.reason != new.reason or old.publication != new.publication:
            return False
    return True


def _of_seat(before: Sample | None, now: Sample) -> Iterator[tuple[TimelineKind, str | None, str]]:
    if (before is None or before.connected) != now.connected:
        yield "socket_back" if now.connected else "socket_lost", None, ""
    ways = (
        ("publish", None if before is None else before.up, now.up),
        ("subscribe", None if before is None else before.down, now.down),
    )
    for direction, known, leg in ways:
        if leg is not None and (known is None or known.phase != leg.phase):
            yield "transport", None, f"{direction} {leg.phase}"
    for direction, known, leg in ways:
        if leg is None and known is not None:
            yield "transport", None, f"{direction} closed"
    if _path_changes(now) > (0 if before is None else _path_changes(before)):
        yield "path_changed", None, ""
    sent = {} if before is None else {view.publication: _layer(view) for view in before.views}
    for view in now.views:
        layer = _layer(view)
        if view.publication not in sent or sent[view.publication] != layer:
            yield "layer_forwarded", view.publication, _of_layer(layer, view.reason)


def _path_changes(sample: Sample) -> int:
    return sum(leg.path_changes for leg in (sample.up, sample.down) if leg is not None)


def _layer(view: ViewSample) -> int | None:
    """What goes to a viewer; what asks whether anybody is still there is no picture."""
    return None if view.reason == Reason.SILENT else view.layer


def _of_layer(layer: int | None, reason: Reason | None) -> str:
    if layer is None:
        # What is chosen and does not flow yet has no reason.
        return (
            "none" if reason in (None, Reason.FULL, Reason.SHOWN_SMALL, Reason.LIMITED) else f"none {reason}"
        )
    return str(layer) if reason is None else f"{layer} {reason}"
