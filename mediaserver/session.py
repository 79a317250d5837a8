"""What runs for one participant: their transports by phase, and the tasks that serve them. And the maps
that find it.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Literal

from mediaserver.attention import Attention
from mediaserver.audit import Audit
from mediaserver.config import Settings
from mediaserver.errors import UnknownParticipant, UnknownRoom
from mediaserver.events import Direction, SourceType
from mediaserver.ids import ParticipantId, PublicationId, RoomId, SessionId, new_session_id
from mediaserver.negotiation.answer import Bundled
from mediaserver.negotiation.media import (
    Codec,
    InboundMedia,
    Kind,
    LocalDescription,
    LocalMedia,
    OutboundMedia,
)
from mediaserver.negotiation.offer import SdpLimits
from mediaserver.negotiation.subscribing import Sections
from mediaserver.participant import Participant
from mediaserver.plane import Plane
from mediaserver.room import Publication, Room
from mediaserver.transport.certificate import CertificateStore
from mediaserver.transport.dtls import DtlsCounters
from mediaserver.transport.transport import HandshakeGate, Transport
from mediaserver.witness import Witness


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """One media section of a publish offer, as the room shall know it."""

    mid: str
    label: str
    source_type: SourceType


@dataclass(frozen=True, slots=True)
class Source:
    """What a media section sends: the publication, and how it was described when that began."""

    publication: PublicationId
    spec: SourceSpec
    media: InboundMedia


@dataclass(slots=True)
class PublishSide:
    """The transport a participant publishes on; ``sources`` by mid."""

    transport: Transport
    version: int = 0
    sections: Bundled = ()
    sources: dict[str, Source] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a participant wants of one publication; layer choice gives no more than that."""

    layer: int | None = None
    """The highest encoding of use to them; ``None``: the best."""
    paused: bool = False
    pinned: bool = False
    """They look at this one before all others."""


@dataclass(slots=True)
class SubscribeSide:
    """The transport a browser participant is sent publications on; one offer is out at a time."""

    transport: Transport
    sections: Sections
    version: int = 0
    outstanding: int | None = None
    """Generation of the offer that waits for its answer."""
    answered: int | None = None
    """Generation of the offer that was answered last."""
    refresh_wanted: bool = False
    """Something changed while an offer was out."""
    restart_wanted: bool = False
    accepted: dict[PublicationId, OutboundMedia] = field(default_factory=dict)
    """What the last answer accepted and the transport does not carry yet."""
    subscriptions: dict[PublicationId, int] = field(default_factory=dict)
    wishes: dict[PublicationId, Wish] = field(default_factory=dict)


@dataclass(slots=True)
class Slot:
    """One section of a WHEP answer: it keeps its place, whichever publication fills it."""

    kind: Kind
    label: str
    codec: Codec
    outbound: OutboundMedia
    publication: PublicationId | None = None
    subscription: int | None = None
    wish: Wish = Wish()
    """Outlives what fills the slot."""


@dataclass(slots=True)
class WatchSide:
    """The transport of a WHEP viewer."""

    transport: Transport
    slots: list[Slot]
    sections: Bundled


@dataclass(eq=False, slots=True)
class Session:
    """A participant's transports by phase, and their tasks:
    they end with it, in the order of ``docs/closing.md``."""

    participant: Participant
    room: Room
    publishing: PublishSide | None = None
    subscribing: SubscribeSide | None = None
    watching: WatchSide | None = None
    http: SessionId | None = None
    generation: int = 0
    """Of offers; outlives a subscribe transport so that a late answer to an old one is recognised."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Starts a task that this session owns."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def transports(self) -> list[Transport]:
        """Those that stand, publishing first."""
        sides = (self.publishing, self.subscribing, self.watching)
        return [side.transport for side in sides if side is not None]


@dataclass(eq=False, slots=True)
class HttpSession:
    """A WHIP or WHEP session: a participant with one transport."""

    id: SessionId
    participant: Participant
    answer: str = field(repr=False)
    sections: Bundled
    direction: Literal["whip", "whep"]
    transport: Transport = field(repr=False)

    @property
    def generation(self) -> int:
        """ICE generation, counted from 1."""
        return self.transport.generation

    @property
    def etag(self) -> str:
        """Strong entity tag of the ICE session (RFC 9725 section 4.3.1)."""
        return f'"{self.id}-{self.generation}"'


class Registry:
    """Every map of the server, and nothing else: what stands, found by id or by the plane's handle."""

    def __init__(self, settings: Settings, plane: Plane, audit: Audit) -> None:
        self.settings = settings
        self.plane = plane
        self.witness = Witness(audit)
        self.certificates = CertificateStore()
        self.dtls_counters = DtlsCounters()
        self.data_channels_refused: Counter[str] = Counter()
        """Messages and channels dropped, by reason."""
        self.statistics_told: Counter[str] = Counter()
        """Browsers' statistics messages, by what became of them."""
        self.rooms: dict[RoomId, Room] = {}
        self.sessions: dict[ParticipantId, Session] = {}
        self.http: dict[SessionId, HttpSession] = {}
        self.transports: dict[int, tuple[Session, Transport]] = {}
        self.publications: dict[int, tuple[Room, PublicationId]] = {}
        self.subscriptions: dict[int, tuple[Session, PublicationId, int]] = {}
        """Subscription handle -> whose, of what, and the publication's handle."""
        self.audience: Counter[int] = Counter()
        """Publication handle -> how many subscriptions of it run."""
        self.unsettled: Attention[Session] = Attention()
        """Whose layers are to be chosen anew."""
        self._gates: dict[int, HandshakeGate] = {}

    @property
    def sdp_limits(self) -> SdpLimits:
        """As configured."""
        limits = self.settings.limits
        return SdpLimits(limits.sdp_bytes, limits.media_sections, limits.candidates)

    def leftovers(self) -> dict[str, int]:
        """Sizes of all maps: all zero when everything has been closed."""
        maps: dict[str, Any] = {
            "rooms": self.rooms,
            "sessions": self.sessions,
            "http": self.http,
            "transports": self.transports,
            "publications": self.publications,
            "subscriptions": self.subscriptions,
            "audience": self.audience,
        }
        return {name: len(content) for name, content in maps.items()} | {"handles": self.plane.open_handles}

    def session(self, participant: Participant) -> Session:
        """The living session of this very participant (06-reliability W18). Raises ``UnknownParticipant``."""
        session = self.sessions.get(participant.id)
        if session is None or session.participant is not participant:
            raise UnknownParticipant
        return session

    def room(self, id: RoomId) -> Room:
        """Raises ``UnknownRoom``."""
        try:
            return self.rooms[id]
        except KeyError:
            raise UnknownRoom from None

    def gate(self, worker: int) -> HandshakeGate:
        """The bound on handshakes of one worker's transports."""
        if worker not in self._gates:
            self._gates[worker] = HandshakeGate(self.settings.limits.handshakes_per_worker)
        return self._gates[worker]

    # ---- Transports, publications, subscriptions ----

    def open_transport(self, session: Session, direction: Direction) -> Transport:
        """Opens and registers. Raises ``WorkerGone``."""
        certificate = self.certificates.current(time.monotonic())
        transport = Transport(self.plane, session.room.worker, direction, certificate, self.dtls_counters)
        self.transports[transport.handle] = (session, transport)
        return transport

    def close_transport(self, transport: Transport) -> None:
        """Closes and forgets, with the subscriptions that hang on it. Idempotent."""
        entry = self.transports.pop(transport.handle, None)
        if entry is not None:
            session = entry[0]
            for side in (session.subscribing, session.watching):
                if side is not None and side.transport is transport:
                    for handle, (owner, _, _) in list(self.subscriptions.items()):
                        if owner is session:
                            self.end_subscription(handle)
        transport.close()

    def open_http(self, session: Session, answer: str) -> HttpSession:
        """What a WHIP or WHEP client gets after its offer was answered."""
        side = session.publishing or session.watching
        assert side is not None  # negotiated a moment ago
        http = HttpSession(
            id=new_session_id(),
            participant=session.participant,
            answer=answer,
            sections=side.sections,
            direction="whip" if session.publishing is not None else "whep",
            transport=side.transport,
        )
        session.http = http.id
        self.http[http.id] = http
        return http

    def subscribe(
        self, session: Session, publication: Publication, transport: Transport, media: OutboundMedia
    ) -> int:
        """Starts forwarding; the subscription's handle."""
        handle = self.plane.subscribe(publication.handle, transport.handle, media)
        if publication.kind == "video":
            # Until layer choice has looked at the path, a moment later, no more than any path may carry.
            self.plane.prefer(handle, layer=0, spatial=0)
        self.subscriptions[handle] = (session, publication.id, publication.handle)
        transport.measured |= media.extensions.transport_cc != 0
        self.unsettled.add(session)
        self._count(publication.handle, 1)
        self.witness.watches(handle, session.participant, publication)
        return handle

    def watched(self, handle: int, paused: bool) -> None:
        """Whether its viewer sees anything of a subscription now; for the audit."""
        entry = self.subscriptions.get(handle)
        if entry is not None and (found := self.publications.get(entry[2])) is not None:
            publication = found[0].publication(found[1])
            self.witness.paused(handle, entry[0].participant, publication, paused)

    def end_subscription(self, handle: int) -> None:
        """Stops forwarding and forgets, on both sides. Idempotent."""
        entry = self.subscriptions.pop(handle, None)
        if entry is None:
            return
        session, publication, source = entry
        self.unsettled.add(session)
        self._count(source, -1)
        self.witness.watches_no_more(handle)
        if session.subscribing is not None:
            session.subscribing.subscriptions.pop(publication, None)
        if session.watching is not None:
            for slot in session.watching.slots:
                if slot.subscription == handle:
                    slot.subscription = slot.publication = None
        self.plane.close(handle)

    def end_publication(self, handle: int) -> None:
        """Ends what hangs on it first, then the publication. Idempotent."""
        for subscription, (_, _, source) in list(self.subscriptions.items()):
            if source == handle:
                self.end_subscription(subscription)
        self.publications.pop(handle, None)
        self.audience.pop(handle, None)
        self.witness.unpublished(handle)
        self.plane.close(handle)

    def _count(self, publication: int, change: int) -> None:
        self.audience[publication] += change
        if self.audience[publication] in (1, 2):
            # What one viewer may have for themselves, two may not.
            self.unsettle(publication)

    def mute(self, handle: int, muted: bool) -> None:
        """Forwards nothing of a publication while muted."""
        self.plane.mute(handle, muted)
        self.unsettle(handle)

    def unsettle(self, publication: int) -> None:
        """Something about this publication changed: its viewers' layers are to be chosen anew."""
        self.unsettled.add_all(
            session for session, _, source in self.subscriptions.values() if source == publication
        )


def new_ssrc() -> int:
    """A random SSRC, never 0 (RFC 3550 section 8.1)."""
    return secrets.randbelow(2**32 - 1) + 1


def local_description(transport: Transport, version: int, media: tuple[LocalMedia, ...]) -> LocalDescription:
    """Our side of a transport as a description; the session number is its handle."""
    return LocalDescription(
        session=transport.handle, version=version, transport=transport.description(), media=media
    )
