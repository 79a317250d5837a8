"""What happens in a room, as its participants are told:
one-to-one with the signalling protocol's server events.

``seq`` is not here: each participant's ``EventQueue`` numbers what it holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from mediaserver.ids import ParticipantId, PublicationId, Redacted, RoomId
from mediaserver.policy import Role

Kind: TypeAlias = Literal["audio", "video"]
SourceType: TypeAlias = Literal[
    "endoscope", "overhead", "ultrasound", "monitor", "room", "microphone", "other"
]
Direction: TypeAlias = Literal["publish", "subscribe"]
TransportPhase: TypeAlias = Literal["connecting", "connected", "interrupted", "closed"]
ClosingReason: TypeAlias = Literal["removed", "room_closed", "server_draining", "replaced", "worker_failed"]


@dataclass(frozen=True, slots=True)
class PublicationInfo:
    """One publication as the room sees it; ``layers`` are the indices that flow now, lowest first."""

    id: PublicationId
    participant: ParticipantId
    kind: Kind
    codec: str
    label: str
    source_type: SourceType
    muted: bool
    layers: tuple[int, ...]
    silent_ms: int


@dataclass(frozen=True, slots=True)
class ParticipantInfo:
    """One participant as the room sees them."""

    id: ParticipantId
    name: Redacted[str]
    role: Role
    connected: bool


@dataclass(frozen=True, slots=True)
class RoomInfo:
    """The room at one moment."""

    id: RoomId
    participants: tuple[ParticipantInfo, ...]
    publications: tuple[PublicationInfo, ...]


@dataclass(frozen=True, slots=True)
class SubscribedSource:
    """Which publication a media section of an offer carries."""

    mid: str
    publication: PublicationId


@dataclass(frozen=True, slots=True, repr=False)
class Offer:
    """The server's offer for what the participant subscribes to; to be answered with the same generation."""

    generation: int
    sdp: str
    sources: tuple[SubscribedSource, ...]

    def __repr__(self) -> str:
        # The description holds ICE passwords and addresses.
        return f"Offer(generation={self.generation}, sources={self.sources!r})"


@dataclass(frozen=True, slots=True)
class ParticipantJoined:
    """Somebody came."""

    participant: ParticipantInfo


@dataclass(frozen=True, slots=True)
class ParticipantChanged:
    """Somebody's socket dropped or came back."""

    participant: ParticipantInfo


@dataclass(frozen=True, slots=True)
class ParticipantLeft:
    """Somebody went."""

    participant: ParticipantId


@dataclass(frozen=True, slots=True)
class Published:
    """A source appeared. Told to everyone, its publisher included."""

    publication: PublicationInfo


@dataclass(frozen=True, slots=True)
class PublicationChanged:
    """A source was muted, fell silent, flows again, or its layers changed."""

    publication: PublicationInfo


@dataclass(frozen=True, slots=True)
class Unpublished:
    """A source ended."""

    publication: PublicationId


@dataclass(frozen=True, slots=True)
class LayerForwarded:
    """Which layer of a publication this participant gets from now on (``None``: nothing)."""

    publication: PublicationId
    layer: int | None


@dataclass(frozen=True, slots=True)
class ChatLine:
    """Somebody wrote; ``time_ms`` is Unix time in milliseconds."""

    participant: ParticipantId
    name: Redacted[str]
    text: Redacted[str]
    time_ms: int


@dataclass(frozen=True, slots=True)
class TransportState:
    """The state of one of the participant's two transports as the server sees it."""

    direction: Direction
    state: TransportPhase


@dataclass(frozen=True, slots=True)
class Closing:
    """The participant's session ends now; always the last event."""

    reason: ClosingReason
    reconnect: bool


Event: TypeAlias = (
    Offer
    | ParticipantJoined
    | ParticipantChanged
    | ParticipantLeft
    | Published
    | PublicationChanged
    | Unpublished
    | LayerForwarded
    | ChatLine
    | TransportState
    | Closing
)
