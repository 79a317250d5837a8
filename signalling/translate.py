"""What happened in a room, as messages: ``mediaserver.events`` one to one. Pure."""

from __future__ import annotations

from typing import assert_never

from mediaserver import events
from mediaserver.layers import Reason
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
        encodings=info.encodings,
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
        recording=_recording(info.recording),
        interruption=_interruption(info.interruption),
    )


def _recording(changed: events.RecordingChanged | None) -> messages.RoomRecording | None:
    if changed is None:
        return None
    return messages.RoomRecording(
        recording=changed.recording,
        since_ms=changed.since_ms,
        minutes_left=changed.minutes_left,
        failing=changed.failing,
    )


def _interruption(told: events.RecordingInterruption | None) -> messages.RecordingInterruption | None:
    return (
        None
        if told is None
        else messages.RecordingInterruption(recording=told.recording, procedure=told.procedure)
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


def _quality(seq: int, told: events.Quality) -> messages.Quality:
    return messages.Quality(
        seq=seq,
        step=told.step,
        cause=told.cause,
        estimate_kbit=told.estimate_kbit,
        sent_kbit=told.sent_kbit,
        loss=told.loss,
        rtt_ms=told.rtt_ms,
        jitter_ms=told.jitter_ms,
        queue_ms=told.queue_ms,
        repair_overhead=told.repair_overhead,
        sources=[
            messages.SourceQuality(
                publication=one.publication,
                layer=one.layer,
                still_seconds=one.still_seconds,
                reason=Reason(one.reason),
                upload_loss=one.upload_loss,
                upload_jitter_ms=one.upload_jitter_ms,
            )
            for one in told.sources
        ],
    )


def _sending_wanted(seq: int, wanted: events.SendingWanted) -> messages.SendingWanted:
    return messages.SendingWanted(
        seq=seq,
        publication=wanted.publication,
        encodings=[
            messages.EncodingWanted(active=one.active, max_bitrate=one.max_bitrate)
            for one in wanted.encodings
        ],
    )


def event(seq: int, happened: events.Event) -> messages.ServerEvent:  # noqa: C901, PLR0911, PLR0912 - a case each
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
        case events.StandingChanged(participant=whose, step=step, cause=cause):
            return messages.StandingChanged(seq=seq, participant=whose, step=step, cause=cause)
        case events.Quality():
            return _quality(seq, happened)
        case events.SendingWanted():
            return _sending_wanted(seq, happened)
        case events.ChatLine():
            return messages.ChatLine(
                seq=seq,
                participant=happened.participant,
                name=happened.name.reveal(),
                text=happened.text.reveal(),
                time_ms=happened.time_ms,
            )
        case events.RecordingChanged():
            return messages.RecordingChanged(
                seq=seq,
                state=happened.state,
                recording=happened.recording,
                since_ms=happened.since_ms,
                minutes_left=happened.minutes_left,
                failing=happened.failing,
            )
        case events.RecordingInterrupted(interruption=interruption):
            return messages.RecordingInterrupted(seq=seq, interruption=_interruption(interruption))
        case events.TransportState(direction=direction, state=phase):
            return messages.TransportState(seq=seq, direction=direction, state=phase)
        case events.Closing(reason=reason, reconnect=reconnect):
            return messages.Closing(seq=seq, reason=reason, reconnect=reconnect)
        case _:
            assert_never(happened)
