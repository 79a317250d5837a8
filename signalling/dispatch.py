"""A joined participant's request as a call on the media server, and its answer.

Rights are checked below, not here.
"""

from __future__ import annotations

import time
from typing import assert_never

from mediaserver.errors import RecordingOff
from mediaserver.ids import ParticipantId, ProcedureId, PublicationId
from mediaserver.participant import Participant
from mediaserver.policy import Right, require
from mediaserver.quality_history.claims import Claim
from mediaserver.recording.control import NoRecordings, Recordings
from mediaserver.review.desk import Desk
from mediaserver.review.errors import ReviewOff
from mediaserver.server import Server, SourceSpec
from mediaserver.session import Wish
from signalling import messages
from signalling.errors import MalformedMessage, OutOfOrder
from signalling.names import clean


async def perform(  # noqa: C901, PLR0912 - one case per message
    server: Server, participant: Participant, request: messages.Request, desk: Desk | None = None
) -> messages.ServerMessage:
    """Does it and gives the answer. Raises ``LoupeError``."""
    match request:
        case messages.Publish():
            return await _publish(server, participant, request)
        case messages.Subscribe(publications=publications, automatic=automatic):
            server.subscribe(participant, [PublicationId(one) for one in publications], automatic)
        case messages.Answer(generation=generation, sdp=sdp):
            await server.answer(participant, generation, sdp)
        case messages.RestartIce():
            server.restart_ice(participant)
        case messages.Prefer(publication=publication, layer=layer, paused=paused, pinned=pinned):
            server.prefer(participant, PublicationId(publication), Wish(layer, paused, pinned))
        case messages.Mute(publication=publication, muted=muted):
            server.mute(participant, PublicationId(publication), muted)
        case messages.Chat(text=text):
            server.chat(participant, _chat_text(text))
        case messages.Mark(label=label):
            await _mark(server, desk, participant, label)
        case messages.StartRecording(procedure=procedure):
            await recordings(server).start_by(participant, ProcedureId(procedure))
        case messages.StopRecording():
            recordings(server).stop_by(participant)
        case messages.Remove(participant=other):
            server.remove(participant, ParticipantId(other))
        case messages.CloseRoom():
            server.actions.close_room_as(participant)
        case messages.Statistics():
            _take_statistics(server, participant, request)
        case messages.Ping(id=request_id):
            return messages.Pong(id=request_id, server_time_ms=time.time_ns() // 1_000_000)
        case messages.Join() | messages.Leave():
            raise OutOfOrder
        case _:
            assert_never(request)
    return messages.Ok(id=request.id)


def recordings(server: Server) -> Recordings:
    """Raises ``RecordingOff`` where nothing is recorded."""
    if isinstance(server.recordings, NoRecordings):
        raise RecordingOff
    return server.recordings


async def _mark(server: Server, desk: Desk | None, participant: Participant, label: str) -> None:
    require(participant.rights, Right.MARK)
    if desk is None:
        raise ReviewOff
    cleaned = clean(label, messages.MAX_MARK_CHARACTERS)
    place = server.recordings.place(participant.room)  # before anything is waited for
    await desk.library.mark_live(participant.room, cleaned, participant.id, place)


def _take_statistics(server: Server, participant: Participant, request: messages.Statistics) -> None:
    claim = Claim(
        clock_ms=request.clock_ms,
        publish=request.publish,
        subscribe=request.subscribe,
        sources=tuple(request.sources),
        views=tuple(request.views),
    )
    told = server.registry.statistics_told
    participant.statistics.take(claim, time.monotonic(), time.time_ns() // 1_000_000, told)


def _chat_text(text: str) -> str:
    cleaned = clean(text, messages.MAX_CHAT_CHARACTERS, lines=True)
    if not cleaned:
        raise MalformedMessage("nothing to say", field="$.text")
    return cleaned


async def _publish(
    server: Server, participant: Participant, request: messages.Publish
) -> messages.PublishedAnswer:
    sources: list[SourceSpec] = []
    seen: set[str] = set()
    for index, source in enumerate(request.sources):
        label = clean(source.label, messages.MAX_LABEL_CHARACTERS)
        if not label:
            raise MalformedMessage("a label needs a visible character", field=f"$.sources[{index}].label")
        if source.mid in seen:
            raise MalformedMessage("this mid is named twice", field=f"$.sources[{index}].mid")
        seen.add(source.mid)
        sources.append(SourceSpec(source.mid, label, source.source_type))
    answer = await server.publish(participant, request.sdp, sources)
    return messages.PublishedAnswer(
        id=request.id,
        sdp=answer.sdp,
        sources=[
            messages.PublishedSource(mid=mid, publication=publication)
            for mid, publication in answer.sources.items()
        ],
    )
