"""What happened in a room, as messages: ``mediaserver.events`` one to one. Pure."""

from __future__ import annotations

from typing import assert_never

from mediaserver import events
from signalling import messages


def publication(info: events.PublicationInfo) -> messages.PublicationInfo:
    """One publication."""
    return messages.PublicationInfo(
        id=info.id,
        participant=info.participant,
        kind=info.kind,
        codec=info.codec,
        label=info.label,
        source_type=info.source_type,
        muted=info.muted,
        layers=list(info.layers),
        silent_ms=info.silent_ms,
    )


def participant(info: events.ParticipantInfo) -> messages.ParticipantInfo:
    """One participant; from here the name goes to those in the room."""
    return messages.ParticipantInfo(
        id=info.id, name=info.name.reveal(), role=info.role, connected=info.connected
    )


def room(info: events.RoomInfo) -> messages.RoomInfo:
    """A room."""
    return messages.RoomInfo(
        id=info.id,
        participants=[participant(one) for one in info.participants],
        publications=[publication(one) for one in info.publications],
    )


def _offer(seq: int, event: events.Offer) -> messages.Offer:
    return messages.Offer(
        seq=seq,
        generation=event.generation,
        sdp=event.sdp,
        sources=[
            messages.SubscribedSource(mid=source.mid, publication=source.publication)
            for source in event.sources
        ],
    )


def event(seq: int, happened: events.Event) -> messages.ServerEvent:  # noqa: C901, PLR0911 - one case each
    """One event with its place in the participant's order."""
    match happened:
        case events.Offer():
            return _offer(seq, happened)
        case events.ParticipantJoined(participant=who):
            return messages.ParticipantJoined(seq=seq, participant=participant(who))
        case events.ParticipantChanged(participant=who):
            return messages.ParticipantChanged(seq=seq, participant=participant(who))
        case events.ParticipantLeft(participant=left):
            return messages.ParticipantLeft(seq=seq, participant=left)
        case events.Published(publication=what):
            return messages.Published(seq=seq, publication=publication(what))
        case events.PublicationChanged(publication=what):
            return messages.PublicationChanged(seq=seq, publication=publication(what))
        case events.Unpublished(publication=ended):
            return messages.Unpublished(seq=seq, publication=ended)
        case events.LayerForwarded(publication=of, layer=layer):
            return messages.LayerForwarded(seq=seq, publication=of, layer=layer)
        case events.ChatLine():
            return messages.ChatLine(
                seq=seq,
                participant=happened.participant,
                name=happened.name.reveal(),
                text=happened.text.reveal(),
                time_ms=happened.time_ms,
            )
        case events.TransportState(direction=direction, state=state):
            return messages.TransportState(seq=seq, direction=direction, state=state)
        case events.Closing(reason=reason, reconnect=reconnect):
            return messages.Closing(seq=seq, reason=reason, reconnect=reconnect)
        case _:
            assert_never(happened)
