"""What happened in a room from one second to the next: two pictures of it compared. Pure.

Three of these values for each viewer are made every second: structs cost a tenth of frozen data classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from mediaserver.layers import Reason
from mediaserver.operations.model import Sample, TimelineEvent, TimelineKind, ViewSample
from mediaserver.room import Room
from mediaserver.session import Session


class Forwarded(Struct, frozen=True, gc=False):
    """What of a publication goes to one viewer, and why not more."""

    layer: int | None
    """None: nothing."""
    reason: Reason | None = None
    """None before anything was chosen."""


class Seat(Struct, frozen=True, gc=False):
    """One participant as the timeline sees them."""

    role: str
    connected: bool
    phases: Mapping[str, str]
    """By direction of the transport."""
    path_changes: int
    forwarded: Mapping[str, Forwarded]
    """By publication."""


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

    seats: Mapping[str, Seat] = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict)
    recording: bool = False


FROZEN_MS = 1_000
"""A picture that stands this long is frozen to those who act on it (clinical design, 2.2)."""


def scene(
    room: Room, sessions: Mapping[str, Session], samples: Sequence[Sample], *, recording: bool
) -> Scene:
    """The room now; ``samples`` are this second's."""
    sampled = {sample.participant: sample for sample in samples}
    seats: dict[str, Seat] = {
        id: _seat(sessions[id], sampled.get(id)) for id in room.members if id in sessions
    }
    sources: dict[str, Source] = {
        one.id: Source(one.participant, one.source_type, one.muted, one.silent_ms >= FROZEN_MS, one.layers)
        for one in room.publications.values()
    }
    return Scene(seats, sources, recording)


def _seat(session: Session, sample: Sample | None) -> Seat:
    transports = session.transports()
    return Seat(
        role=session.participant.role.value,
        connected=session.participant.connected,
        phases={transport.direction: transport.phase for transport in transports},
        path_changes=sum(transport.path_changes for transport in transports),
        forwarded={view.publication: _forwarded(view) for view in (sample.views if sample else ())},
    )


def _forwarded(view: ViewSample) -> Forwarded:
    # What asks whether anybody is still there is no picture.
    return Forwarded(None if view.reason == Reason.SILENT else view.layer, view.reason)


def happened(before: Scene, now: Scene, at_ms: int) -> list[TimelineEvent]:
    """In the order: who came, what changed, who went."""

    def event(
        kind: TimelineKind, participant: str | None = None, publication: str | None = None, detail: str = ""
    ) -> TimelineEvent:
        return TimelineEvent(
            at_ms=at_ms, kind=kind, participant=participant, publication=publication, detail=detail
        )

    events: list[TimelineEvent] = []
    for id, seat in now.seats.items():
        if id not in before.seats:
            events.append(event("joined", id, detail=seat.role))
    for publication, source in now.sources.items():
        if publication not in before.sources:
            events.append(event("published", source.participant, publication, source.source_type))
        events += [
            event(kind, source.participant, publication, detail)
            for kind, detail in _of_source(before.sources.get(publication), source)
        ]
    for id, seat in now.seats.items():
        events += [
            event(kind, id, publication, detail)
            for kind, publication, detail in _of_seat(before.seats.get(id), seat)
        ]
    for publication, source in before.sources.items():
        if publication not in now.sources:
            events.append(event("unpublished", source.participant, publication))
    events += [
        event("left", id, detail=seat.role) for id, seat in before.seats.items() if id not in now.seats
    ]
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


def _of_seat(before: Seat | None, now: Seat) -> Iterator[tuple[TimelineKind, str | None, str]]:
    if before == now:
        return
    known = before or Seat(now.role, True, {}, 0, {})
    if known.connected != now.connected:
        yield "socket_back" if now.connected else "socket_lost", None, ""
    for direction, phase in now.phases.items():
        if known.phases.get(direction) != phase:
            yield "transport", None, f"{direction} {phase}"
    for direction in known.phases:
        if direction not in now.phases:
            yield "transport", None, f"{direction} closed"
    if now.path_changes > known.path_changes:
        yield "path_changed", None, ""
    for publication, sent in now.forwarded.items():
        if publication not in known.forwarded or known.forwarded[publication].layer != sent.layer:
            yield "layer_forwarded", publication, _of_layer(sent)


def _of_layer(sent: Forwarded) -> str:
    if sent.layer is None:
        # What is chosen and does not flow yet has no reason.
        return (
            "none"
            if sent.reason in (None, Reason.FULL, Reason.SHOWN_SMALL, Reason.LIMITED)
            else f"none {sent.reason}"
        )
    return str(sent.layer) if sent.reason is None else f"{sent.layer} {sent.reason}"
