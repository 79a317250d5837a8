"""A room: who is in it, what is published, who wants what. Pure: every change returns what follows from it.

A room owns participants, they own publications; closing walks that tree downwards (``docs/closing.md``).
The server carries out the effects; nothing here knows a task, a clock or a socket.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from mediaserver.clinical import ClinicalClass, most_urgent
from mediaserver.errors import LimitReached, NotPermitted, RoomFull, UnknownParticipant, UnknownPublication
from mediaserver.events import (
    ChatLine,
    Event,
    Kind,
    ParticipantChanged,
    ParticipantInfo,
    ParticipantJoined,
    ParticipantLeft,
    PublicationChanged,
    PublicationInfo,
    Published,
    RecordingChanged,
    RecordingInterruption,
    RoomInfo,
    SourceType,
    StandingChanged,
    Unpublished,
)
from mediaserver.ids import ParticipantId, PublicationId, Redacted, RoomId
from mediaserver.negotiation.media import Codec
from mediaserver.policy import Right, Role, require

SPEAKING: frozenset[Role] = frozenset({Role.SURGEON, Role.STAFF, Role.SPECIALIST, Role.MODERATOR})
"""Who must know when somebody sees less than they should: "look here" would be lost on them."""


@dataclass(slots=True)
class Member:
    """A participant as the room knows them."""

    id: ParticipantId
    name: Redacted[str]
    role: Role
    rights: frozenset[Right]
    viewer: bool = False
    """Watches by WHEP: seen by nobody, told nothing."""
    connected: bool = True
    wanted: frozenset[PublicationId] = frozenset()
    automatic: bool = False
    standing: StandingChanged | None = None
    """Their place on the survival ladder, while it is not the top."""

    def info(self) -> ParticipantInfo:
        """As the others see them."""
        return ParticipantInfo(self.id, self.name, self.role, self.connected)


@dataclass(slots=True)
class Publication:
    """One source; ``handle`` is its name in the data plane."""

    id: PublicationId
    participant: ParticipantId
    handle: int
    kind: Kind
    codec: Codec
    repaired: bool
    label: str
    source_type: SourceType
    muted: bool = False
    layers: tuple[int, ...] = ()
    silent_ms: int = 0
    encodings: int = 1
    recorded: bool = False
    """Whether it is recorded: then nothing of it is restrained for its viewers' sake."""
    top_layer: int | None = None
    """Operators let nobody have more."""

    def info(self) -> PublicationInfo:
        """As the room sees it."""
        return PublicationInfo(
            id=self.id,
            participant=self.participant,
            kind=self.kind,
            codec=self.codec.name,
            label=self.label,
            source_type=self.source_type,
            muted=self.muted,
            layers=self.layers,
            silent_ms=self.silent_ms,
            encodings=self.encodings,
        )


# ---- What follows from a change ----


@dataclass(frozen=True, slots=True)
class Tell:
    """This participant is told this."""

    to: ParticipantId
    event: Event


@dataclass(frozen=True, slots=True)
class Renegotiate:
    """What this participant is sent may have changed."""

    participant: ParticipantId


@dataclass(frozen=True, slots=True)
class EndPublication:
    """The plane shall end this publication."""

    handle: int


@dataclass(frozen=True, slots=True)
class Silence:
    """The plane shall stop, or resume, forwarding this publication."""

    handle: int
    muted: bool


Effect: TypeAlias = Tell | Renegotiate | EndPublication | Silence


@dataclass(slots=True)
class Room:
    """State of one meeting. Functions are plain ``def``: each is atomic on the event loop."""

    id: RoomId
    worker: int
    max_participants: int
    max_viewers: int
    max_publications: int
    members: dict[ParticipantId, Member] = field(default_factory=dict)
    publications: dict[PublicationId, Publication] = field(default_factory=dict)
    recording: RecordingChanged | None = None
    """While it is being recorded."""
    interruption: RecordingInterruption | None = None
    """Of its last recording, while that should go on."""
    clinical_class: ClinicalClass | None = None
    """The most urgent that a token named; None: nobody said."""

    # ---- Questions ----

    def info(self) -> RoomInfo:
        """The room at this moment, without those who merely watch by WHEP."""
        return RoomInfo(
            id=self.id,
            participants=tuple(member.info() for member in self._visible()),
            publications=tuple(publication.info() for publication in self.publications.values()),
            recording=self.recording,
            interruption=self.interruption,
        )

    @property
    def empty(self) -> bool:
        """Nobody is here, viewers included."""
        return not self.members

    def member(self, id: ParticipantId) -> Member:
        """Raises ``UnknownParticipant``."""
        try:
            return self.members[id]
        except KeyError:
            raise UnknownParticipant from None

    def allowed(self, id: ParticipantId, right: Right) -> Member:
        """The member, if they hold the right: asked by every call below (06-reliability W18)."""
        member = self.member(id)
        require(member.rights, right)
        return member

    def publication(self, id: PublicationId) -> Publication:
        """Raises ``UnknownPublication``."""
        try:
            return self.publications[id]
        except KeyError:
            raise UnknownPublication from None

    def subscriptions(self, id: ParticipantId) -> list[Publication]:
        """What this participant is to be sent now, in order of publishing; nothing without the right."""
        member = self.member(id)
        if Right.SUBSCRIBE not in member.rights:
            return []
        return [
            publication
            for publication in self.publications.values()
            if publication.participant != id and (member.automatic or publication.id in member.wanted)
        ]

    def first(self, kind: Kind, label: str | None = None) -> Publication | None:
        """The publication of this kind that has stood longest, of this label if one is given."""
        for publication in self.publications.values():
            if publication.kind == kind and (label is None or publication.label == label):
                return publication
        return None

    # ---- Changes ----

    def check_space(self, *, viewer: bool) -> None:
        """Raises ``RoomFull``."""
        count = sum(1 for member in self.members.values() if member.viewer is viewer)
        if count >= (self.max_viewers if viewer else self.max_participants):
            raise RoomFull

    def join(self, member: Member) -> list[Effect]:
        """Raises ``RoomFull``."""
        self.check_space(viewer=member.viewer)
        self.members[member.id] = member
        if member.viewer:
            return []
        effects = self._tell_all(ParticipantJoined(member.info()), but=member.id)
        if member.role in SPEAKING:
            standings = [other.standing for other in self._visible() if other.standing is not None]
            effects += [Tell(member.id, standing) for standing in standings]
        return effects

    def used_for(self, named: ClinicalClass | None) -> None:
        """A token says what the room is used for."""
        self.clinical_class = most_urgent(self.clinical_class, named)

    def leave(self, id: ParticipantId) -> list[Effect]:
        """Ends what they publish, then tells that they went. Idempotent."""
        member = self.members.get(id)
        if member is None:
            return []
        effects: list[Effect] = []
        for publication in [p for p in self.publications.values() if p.participant == id]:
            effects += self._unpublish(publication)
        del self.members[id]
        if not member.viewer:
            effects += self._tell_all(ParticipantLeft(id))
        # The leaver's own queue and negotiation end with them.
        return [e for e in effects if not (isinstance(e, Tell) and e.to == id) and e != Renegotiate(id)]

    def check_publish(self, id: ParticipantId, kinds: Collection[Kind], additional: int) -> None:
        """Raises ``NotPermitted`` or ``LimitReached`` before anything is changed."""
        for kind in kinds:
            self.allowed(id, Right.PUBLISH_VIDEO if kind == "video" else Right.PUBLISH_AUDIO)
        count = sum(1 for publication in self.publications.values() if publication.participant == id)
        if count + additional > self.max_publications:
            raise LimitReached(
                f"at most {self.max_publications} publications per participant", field="$.sources"
            )

    def publish(self, publication: Publication) -> list[Effect]:
        """A source appeared."""
        self.check_publish(publication.participant, (publication.kind,), 1)
        self.publications[publication.id] = publication
        effects = self._tell_all(Published(publication.info()))
        return effects + self._renegotiate(
            member.id
            for member in self.members.values()
            if member.automatic and member.id != publication.participant
        )

    def unpublish(self, id: PublicationId) -> list[Effect]:
        """A source ended. Idempotent."""
        publication = self.publications.get(id)
        return [] if publication is None else self._unpublish(publication)

    def _unpublish(self, publication: Publication) -> list[Effect]:
        viewers = [m.id for m in self.members.values() if publication in self.subscriptions(m.id)]
        del self.publications[publication.id]
        effects: list[Effect] = [EndPublication(publication.handle)]
        effects += self._tell_all(Unpublished(publication.id))
        for member in self.members.values():
            member.wanted -= {publication.id}
        return effects + self._renegotiate(viewers)

    def subscribe(
        self, id: ParticipantId, wanted: Collection[PublicationId], *, automatic: bool
    ) -> list[Effect]:
        """The whole set wanted from now on. Raises ``UnknownPublication`` naming the first unknown one."""
        member = self.allowed(id, Right.SUBSCRIBE)
        for index, publication in enumerate(wanted):
            if publication not in self.publications:
                raise UnknownPublication(field=f"$.publications[{index}]")
        member.wanted, member.automatic = frozenset(wanted), automatic
        return [Renegotiate(id)]

    def mute(self, id: ParticipantId, publication_id: PublicationId, muted: bool) -> list[Effect]:
        """One's own source, or another's with the right to moderate."""
        member, publication = self.member(id), self.publication(publication_id)
        if publication.participant != member.id:
            require(member.rights, Right.MODERATE)
        return self.silence(publication_id, muted)

    def silence(self, id: PublicationId, muted: bool) -> list[Effect]:
        """A source is forwarded to nobody, or again; the caller has checked who may."""
        publication = self.publication(id)
        if publication.muted == muted:
            return []
        publication.muted = muted
        return [Silence(publication.handle, muted), *self._tell_all(PublicationChanged(publication.info()))]

    def chat(self, id: ParticipantId, text: str, time_ms: int) -> list[Effect]:
        """A line to everyone, its writer included."""
        member = self.allowed(id, Right.CHAT)
        return self._tell_all(ChatLine(member.id, member.name, Redacted(text), time_ms))

    def check_remove(self, id: ParticipantId, other: ParticipantId) -> Member:
        """May this participant remove that one? Raises ``NotPermitted`` or ``UnknownParticipant``."""
        self.allowed(id, Right.MODERATE)
        if id == other:
            raise NotPermitted("to go yourself, leave")
        return self.member(other)

    def set_connected(self, id: ParticipantId, connected: bool) -> list[Effect]:
        """Their socket dropped or came back."""
        member = self.member(id)
        if member.connected == connected:
            return []
        member.connected = connected
        return self._tell_all(ParticipantChanged(member.info()), but=id)

    def layers_changed(self, id: PublicationId, layers: tuple[int, ...]) -> list[Effect]:
        """Other layers flow now."""
        publication = self.publication(id)
        if publication.layers == layers:
            return []
        publication.layers = layers
        return self._tell_all(PublicationChanged(publication.info()))

    def stalled(self, id: PublicationId, silent_ms: int) -> list[Effect]:
        """The source fell silent, or flows again (0)."""
        publication = self.publication(id)
        if publication.silent_ms == silent_ms:
            return []
        publication.silent_ms = silent_ms
        return self._tell_all(PublicationChanged(publication.info()))

    def standing_changed(self, standing: StandingChanged) -> list[Effect]:
        """A participant's place on the ladder: for themselves and whoever speaks in the room."""
        member = self.member(standing.participant)
        member.standing = None if standing.step == "full" and standing.cause is None else standing
        if member.viewer:
            return []
        told = [one for one in self._visible() if one.id == member.id or one.role in SPEAKING]
        return [Tell(one.id, standing) for one in told]

    # ---- Parts ----

    def _visible(self) -> list[Member]:
        return [member for member in self.members.values() if not member.viewer]

    def _tell_all(self, event: Event, but: ParticipantId | None = None) -> list[Effect]:
        return [Tell(member.id, event) for member in self._visible() if member.id != but]

    @staticmethod
    def _renegotiate(ids: Iterable[ParticipantId]) -> list[Effect]:
        return [Renegotiate(id) for id in ids]
