"""The server: finds room and session, asks ``policy`` and ``room`` what follows, and carries it out.

The only dispatcher.

Calls that change rooms are plain ``def`` and atomic; the few that are ``async`` wait only before they begin
to change anything (for a large description to be parsed). Closing goes downwards: server, room,
participant, publication and subscription, transport (``docs/closing.md``).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import assert_never

import structlog

from mediaserver import publish_side, subscribe_side, watch_side
from mediaserver._dataplane import Event
from mediaserver.adaptation.turn import Adaptation
from mediaserver.adaptation.watched import WatchedLayers
from mediaserver.audience import Audience
from mediaserver.audit import Audit, NoAudit
from mediaserver.config import Settings
from mediaserver.dispatch import Dispatcher
from mediaserver.errors import (
    Draining,
    LimitReached,
    LoupeError,
    MalformedSdp,
    NotPermitted,
    TransportFailed,
    UnknownParticipant,
)
from mediaserver.events import Closing, ClosingReason, TransportState
from mediaserver.ids import (
    ParticipantId,
    PublicationId,
    Redacted,
    RoomId,
    SessionId,
    new_participant_id,
)
from mediaserver.metrics import Metrics
from mediaserver.negotiation.answer import parse_fragment, render_fragment
from mediaserver.negotiation.media import RemoteDescription, RemoteMedia
from mediaserver.negotiation.offer import check_limits, parse_description
from mediaserver.operations.actions import Actions
from mediaserver.participant import Identity, Participant
from mediaserver.plane import Plane
from mediaserver.policy import PUBLISHING, Right, require
from mediaserver.publish_side import PublishAnswer
from mediaserver.recording.control import NoRecordings, Recordings
from mediaserver.room import Effect as RoomEffect
from mediaserver.room import EndPublication, Member, Renegotiate, Room, Silence, Tell
from mediaserver.rooms import Rooms
from mediaserver.session import HttpSession, Registry, Session, SourceSpec, Wish
from mediaserver.tasks import end_tasks
from mediaserver.transport.transport import Transport

__all__ = ["HttpSession", "Identity", "Participant", "PublishAnswer", "Server", "SourceSpec"]

LARGE_SDP_CHARACTERS = 16_384
"""Above this a description is parsed in a thread, so that the loop's stall stays short (06-reliability W10).
"""
MAX_NAME_CHARACTERS = 64
HEARTBEAT_SECONDS = 1.0
"""How often the loop's own lag is measured."""

_log = structlog.stdlib.get_logger(__name__)


class Server:
    """Owns rooms; rooms own participants. All calls are made on the event loop that ``start`` ran on."""

    def __init__(self, settings: Settings, plane: Plane, audit: Audit | None = None) -> None:
        self._registry = Registry(settings, plane, audit or NoAudit())
        self._plane = plane
        self._rooms = Rooms(self._registry)
        self._phase = "new"
        self._tasks: set[asyncio.Task[None]] = set()
        self.recordings: Recordings | NoRecordings = NoRecordings()
        self.metrics = Metrics(self._registry)
        self.adaptation = Adaptation(self._registry, self._apply)
        self.audience = Audience(self._registry, self._close)
        self.actions = Actions(self._registry, self._apply, self._close)
        self.watched_layers = WatchedLayers(self._registry, self.adaptation)
        self._dispatcher = Dispatcher(
            self._registry, self.adaptation, self._apply, self._transport_over, self._close, self.metrics
        )

    # ---- Life ----

    @property
    def registry(self) -> Registry:
        """What stands now; for metrics and tests."""
        return self._registry

    @property
    def rooms(self) -> Mapping[RoomId, Room]:
        """Rooms that stand, empty ones included for a minute."""
        return MappingProxyType(self._registry.rooms)

    @property
    def ready(self) -> bool:
        """Takes new participants: started, not draining, and a media worker lives."""
        return self._phase == "running" and self._plane.workers > 0

    @property
    def draining(self) -> bool:
        """Takes no one new."""
        return self._phase in ("draining", "stopped")

    async def start(self) -> None:
        """Begins to take events of the plane."""
        self._plane.watch()
        self._phase = "running"
        self.recordings.start_recorder()
        lag = self.metrics.measure_loop_lag(HEARTBEAT_SECONDS)
        for work in (self._take_events(), self.adaptation.run(), lag):
            task = asyncio.get_running_loop().create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def drain(self) -> None:
        """Takes no one new, sends everyone elsewhere, and returns when all their tasks have ended.

        Idempotent.
        """
        if self._phase == "running":
            self._phase = "draining"
        tasks = [task for session in self._registry.sessions.values() for task in session.tasks]
        for session in list(self._registry.sessions.values()):
            self._close(session, "server_draining", reconnect=True)
        for room_id in list(self._registry.rooms):
            self._rooms.expire(room_id)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def stop(self) -> None:
        """Drains, then ends the plane. Idempotent."""
        await self.drain()
        self._phase = "stopped"
        await self.recordings.end()
        await end_tasks(self._tasks)
        self._plane.stop()

    # ---- Coming and going ----

    def join(self, identity: Identity, name: str) -> Participant:
        """Somebody enters; the room comes into being with its first. Raises ``Draining``, ``RoomFull``,
        ``ConsentMissing``."""
        return self._enter(identity, name, viewer=False).participant

    def leave(self, participant: Participant) -> None:
        """Ends the participant's session. Raises ``UnknownParticipant`` if it has ended already."""
        self._close(self._registry.session(participant), None)

    def remove(self, participant: Participant, other: ParticipantId) -> None:
        """A moderator sends somebody out. Raises ``NotPermitted``, ``UnknownParticipant``."""
        session = self._registry.session(participant)
        session.room.check_remove(participant.id, other)
        self._registry.witness.removed(self._registry.sessions[other].participant, participant.id)
        self._close(self._registry.sessions[other], "removed")

    def expel(self, room: RoomId, other: ParticipantId, by: str = "system") -> None:
        """Sends somebody out from outside the room; the caller has checked that it may.

        Raises ``UnknownParticipant`` if nobody of this id is in this room.
        """
        session = self._registry.sessions.get(other)
        if session is None or session.room.id != room:
            raise UnknownParticipant
        self._registry.witness.removed(session.participant, by)
        self._close(session, "removed")

    def set_connected(self, participant: Participant, connected: bool) -> None:
        """The participant's socket dropped or came back; media goes on meanwhile."""
        session = self._registry.session(participant)
        participant.connected = connected
        self._apply(session.room, session.room.set_connected(participant.id, connected))

    # ---- Media of browser participants ----

    async def publish(
        self, participant: Participant, sdp: str, sources: Sequence[SourceSpec]
    ) -> PublishAnswer:
        """An offer of all this participant sends; also its ICE restart. Whole or not at all.

        Raises ``MalformedSdp``, ``NotPermitted``, ``LimitReached``, ``WorkerGone``.
        """
        self.audience.check_beginning(self._registry.session(participant).room.id)
        remote = await self._parse(sdp)
        session = self._registry.session(participant)
        result = publish_side.negotiate(self._registry, session, remote, sources, partial=True)
        self._serve_publishing(session, result)
        return result.answer

    def subscribe(
        self, participant: Participant, publications: Collection[PublicationId], automatic: bool = False
    ) -> None:
        """The whole set wanted from now on; an ``Offer`` event follows if media changes.

        Raises ``NotPermitted``, ``UnknownPublication``, ``LimitReached``.
        """
        session = self._registry.session(participant)
        limit = self._registry.settings.limits.subscriptions
        if len(publications) > limit:
            raise LimitReached(f"at most {limit} subscriptions", field="$.publications")
        self._apply(session.room, session.room.subscribe(participant.id, publications, automatic=automatic))

    async def answer(self, participant: Participant, generation: int, sdp: str) -> None:
        """The answer to the offer of this generation. Raises ``StaleGeneration``, ``MalformedSdp``."""
        if subscribe_side.repeats(self._registry.session(participant), generation):
            return
        remote = await self._parse(sdp)
        session = self._registry.session(participant)
        started = subscribe_side.accept(self._registry, session, generation, remote)
        if started is not None:
            participant.outbox.put(TransportState("subscribe", "connecting"))
            session.run(self._serve(session, started, None))
        side = session.subscribing
        if side is not None and (side.refresh_wanted or side.restart_wanted):
            self._apply(session.room, [Renegotiate(participant.id)])

    def restart_ice(self, participant: Participant) -> None:
        """New credentials for the subscribe transport: an ``Offer`` event follows.

        Raises ``TransportFailed``.
        """
        session = self._registry.session(participant)
        offer = subscribe_side.restart(self._registry, session)
        if offer is not None:
            participant.outbox.put(offer)

    def prefer(self, participant: Participant, publication: PublicationId, wish: Wish) -> None:
        """A wish about one publication. Raises ``NotPermitted``, ``UnknownPublication``."""
        session = self._registry.session(participant)
        session.room.allowed(participant.id, Right.SUBSCRIBE)
        session.room.publication(publication)
        subscribe_side.prefer(self._registry, session, publication, wish)

    def mute(self, participant: Participant, publication: PublicationId, muted: bool) -> None:
        """Stops or resumes forwarding. Raises ``NotPermitted``, ``UnknownPublication``."""
        room = self._registry.session(participant).room
        self._apply(room, room.mute(participant.id, publication, muted))
        self._registry.witness.muted(participant, room.publication(publication), muted)

    def chat(self, participant: Participant, text: str) -> None:
        """A line to the room. Raises ``NotPermitted``."""
        room = self._registry.session(participant).room
        self._apply(room, room.chat(participant.id, text, int(time.time() * 1000)))

    # ---- Plain HTTP ----

    async def whip(self, identity: Identity, name: str, sdp: str) -> HttpSession:
        """An encoder publishes.

        Raises ``MalformedSdp``, ``NotPermitted``, ``NoCommonCodec``, ``RoomFull``, ``Draining``.
        """
        self._admit()
        if not identity.rights & PUBLISHING:
            raise NotPermitted("this needs a right to publish")
        self.audience.check_beginning(identity.room, identity.clinical_class)
        remote = await self._parse(sdp)
        session = self._enter(identity, name, viewer=False)
        try:
            specs = publish_side.whip_sources(remote, name[:MAX_NAME_CHARACTERS] or "encoder")
            result = publish_side.negotiate(self._registry, session, remote, specs, partial=False)
            if not result.answer.sources:
                raise MalformedSdp("the offer sends nothing")
        except BaseException:
            self._close(session, None)
            raise
        self._serve_publishing(session, result)
        return self._registry.open_http(session, result.answer.sdp)

    async def whep(self, identity: Identity, name: str, sdp: str, source: str | None = None) -> HttpSession:
        """A viewer watches one source.

        Raises ``NotPermitted``, ``UnknownRoom``, ``MalformedSdp``, ``NothingPublished``, ``NoCommonCodec``.
        """
        self._admit()
        require(identity.rights, Right.SUBSCRIBE)
        self._registry.room(identity.room)
        remote = await self._parse(sdp)
        # What trying again cannot mend is told before what it may.
        watch_side.check_offer(remote)
        watch_side.sources(self._registry.room(identity.room), source)
        session = self._enter(identity, name, viewer=True)
        try:
            text = watch_side.open_watch(self._registry, session, remote, source)
        except LoupeError:
            self._close(session, None)
            raise
        side = session.watching
        assert side is not None  # opened in the line above
        session.run(self._serve(session, side.transport, None))
        return self._registry.open_http(session, text)

    def http_session(self, id: SessionId) -> HttpSession:
        """Raises ``UnknownParticipant``."""
        try:
            return self._registry.http[id]
        except KeyError:
            raise UnknownParticipant("no such session") from None

    def has_http_session(self, id: SessionId) -> bool:
        """Whether it stands."""
        return id in self._registry.http

    def trickle(self, session: HttpSession, fragment: str) -> None:
        """Candidates of the peer: checked and let go, as an ICE-lite server sends no checks.

        Raises ``MalformedSdp``.
        """
        self.http_session(session.id)
        parse_fragment(fragment, self._registry.sdp_limits)

    def restart_http_ice(self, session: HttpSession, fragment: str) -> str:
        """New credentials for new ones; the session's ``etag`` changes.

        Raises ``MalformedSdp``, ``WorkerGone``.
        """
        self.http_session(session.id)
        parsed = parse_fragment(fragment, self._registry.sdp_limits)
        if parsed.ice is None:
            raise MalformedSdp("an ICE restart needs ice-ufrag and ice-pwd")
        session.transport.restart_ice(parsed.ice)
        return render_fragment(session.transport.description(), session.sections)

    def end(self, session: HttpSession) -> None:
        """Ends it. Raises ``UnknownParticipant`` the second time."""
        self.http_session(session.id)
        self._close(self._registry.session(session.participant), None)

    # ---- Parts ----

    def _admit(self) -> None:
        if self._phase != "running":
            raise Draining

    async def _parse(self, sdp: str) -> RemoteDescription:
        limits = self._registry.sdp_limits
        check_limits(sdp, limits)
        if len(sdp) > LARGE_SDP_CHARACTERS:
            return await asyncio.to_thread(parse_description, sdp, limits)
        return parse_description(sdp, limits)

    def _enter(self, identity: Identity, name: str, *, viewer: bool) -> Session:
        self._admit()
        self.audience.check(identity.room, identity.role, identity.clinical_class)
        room = self._rooms.get_or_open(identity.room)
        shown = Redacted(name[:MAX_NAME_CHARACTERS])
        member = Member(
            new_participant_id(), shown, identity.role, identity.rights, viewer=viewer, automatic=viewer
        )
        effects = room.join(member)
        named = identity.clinical_class
        participant = Participant(member.id, room.id, shown, identity.role, identity.rights, named)
        session = self._registry.sessions[member.id] = Session(participant, room)
        self._rooms.entered(room, named)
        self._registry.witness.joined(participant, identity, viewer=viewer)
        self._apply(room, effects)
        _log.info("joined", room=room.id, participant=member.id, role=identity.role.value, viewer=viewer)
        return session

    # ---- Transports ----

    def _serve_publishing(self, session: Session, result: publish_side.Published) -> None:
        self._apply(session.room, result.effects)
        if result.started is not None:
            session.run(self._serve(session, result.started, result.data))
            session.participant.outbox.put(TransportState("publish", "connecting"))

    async def _serve(self, session: Session, transport: Transport, data: RemoteMedia | None) -> None:
        """One transport's life; cancelled when the session closes first."""
        room, begun = session.room, time.monotonic()
        try:
            await transport.path()
            self.metrics.join_stage("ice", time.monotonic() - begun)
            begun = time.monotonic()
            await transport.connect(self._registry.gate(room.worker))
            self.metrics.join_stage("dtls", time.monotonic() - begun)
            self._dispatcher.connected(session, transport)
            limit = self._registry.settings.limits.data_channels
            if data is not None and limit:
                await transport.open_data_channels(data, limit, self._registry.data_channels_refused)
                session.run(self._dispatcher.relay(session, transport))
            await transport.ended()
        except TransportFailed as failure:
            _log.info("transport failed", participant=session.participant.id, reason=failure.message)
        except ConnectionError:
            pass  # the association ended while data channels were being opened
        self._transport_over(session, transport)

    def _transport_over(self, session: Session, transport: Transport) -> None:
        """The association ended by itself: what hung on it ends
        too; the participant stays unless it was all of them."""
        if transport.handle not in self._registry.transports:
            return
        if session.http is not None:
            self._close(session, None)
            return
        effects: list[RoomEffect] = []
        if session.publishing is not None and session.publishing.transport is transport:
            effects = publish_side.end(self._registry, session)
        elif session.subscribing is not None and session.subscribing.transport is transport:
            subscribe_side.end(self._registry, session)
        self._registry.close_transport(transport)
        session.participant.outbox.put(TransportState(transport.direction, "closed"))
        self._apply(session.room, effects)

    async def _take_events(self) -> None:
        while True:
            for event in await self._plane.events():
                self._dispatch(event)

    def _dispatch(self, event: Event) -> None:
        try:
            self._dispatcher.dispatch(event)
        except LoupeError as error:
            # A publication or participant that ended between the event and now.
            _log.debug("event came too late", kind=type(event).__name__, code=error.code)
        except Exception:
            # Whatever one participant's event raises must not end the events of all others.
            _log.exception("event not handled", kind=type(event).__name__)

    # ---- Carrying out ----

    def _apply(self, room: Room, effects: Sequence[RoomEffect]) -> None:  # noqa: C901 - a flat match
        overflowed: list[Session] = []
        # Last and once each: an offer must not come before the news of what it carries.
        renegotiate: dict[ParticipantId, None] = {}
        for effect in effects:
            match effect:
                case Tell(to, event):
                    session = self._registry.sessions.get(to)
                    if session is not None and session.http is None:
                        session.participant.outbox.put(event)
                        if session.participant.outbox.overflowed:
                            overflowed.append(session)
                case Renegotiate(id):
                    renegotiate[id] = None
                case EndPublication(handle):
                    self._registry.end_publication(handle)
                case Silence(handle, muted):
                    self._registry.mute(handle, muted)
                case _:
                    assert_never(effect)
        self.recordings.follow(room)
        for participant in renegotiate:
            try:
                self._renegotiate(participant)
            except LoupeError as error:
                # One viewer's limit is that viewer's: the others, and whoever published, go on.
                _log.warning("viewer not served", participant=participant, reason=error.code)
        for session in overflowed:
            if session.participant.id in room.members:
                _log.warning("participant reads too slowly", participant=session.participant.id)
                self._close(session, None)

    def _renegotiate(self, id: ParticipantId) -> None:
        session = self._registry.sessions.get(id)
        if session is None:
            return
        if session.watching is not None:
            watch_side.refresh(self._registry, session)
        elif session.http is None and Right.SUBSCRIBE in session.participant.rights:
            offer = subscribe_side.refresh(self._registry, session)
            if offer is not None:
                session.participant.outbox.put(offer)

    def _close(self, session: Session, reason: ClosingReason | None, reconnect: bool = False) -> None:
        """Ends one session, downwards; ``docs/closing.md`` has the order and who is told."""
        id = session.participant.id
        if self._registry.sessions.pop(id, None) is None:
            return
        if reason is not None:
            session.participant.outbox.put(Closing(reason, reconnect))
        session.participant.outbox.close()
        effects = session.room.leave(id)
        self._apply(session.room, effects)
        for task in session.tasks:
            task.cancel()
        for transport in session.transports():
            self._registry.close_transport(transport)
        session.publishing = session.subscribing = session.watching = None
        if session.http is not None:
            self._registry.http.pop(session.http, None)
        self._rooms.left(session.room)
        self._registry.witness.left(session.participant, reason)
        _log.info("left", room=session.room.id, participant=id, reason=reason)
