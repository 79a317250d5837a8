"""What happens in a room, as its participants are told:
one-to-one with the signalling protocol's server events.

``seq`` is not here: each participant's ``EventQueue`` numbers what it holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from mediaserver.ids import ParticipantId, ProcedureId, PublicationId, RecordingId, Redacted, RoomId
from mediaserver.policy import Role

Kind: TypeAlias = Literal["audio", "video"]
SourceType: TypeAlias = Literal[
    "endoscope", "overhead", "ultrasound", "monitor", "room", "microphone", "other"
]
Direction: TypeAlias = Literal["publish", "subscribe"]
TransportPhase: TypeAlias = Literal["connecting", "connected", "interrupted", "closed"]
Step: TypeAlias = Literal["full", "reduced", "stills", "sound", "silent"]
Cause: TypeAlias = Literal["link", "publisher", "server"]
ClosingReason: TypeAlias = Literal[
    "removed", "room_closed", "server_draining", "replaced", "worker_failed",
    "outside_viewers_not_consented", "teaching_not_consented", "treatment_link_declined",
]  # fmt: skip


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
    encodings: int = 1
    """How many there are, whether or not they flow now."""


@dataclass(frozen=True, slots=True)
class ParticipantInfo:
    """One participant as the room sees them."""

    id: ParticipantId
    name: Redacted[str]
    role: Role
    connected: bool


@dataclass(frozen=True, slots=True)
class RecordingChanged:
    """The room is being recorded since this moment (Unix time in milliseconds), or no longer."""

    state: Literal["recording", "sealed", "withdrawn"]
    recording: RecordingId
    since_ms: int
    minutes_left: int | None = None
    """Until the disk is full, once that is less than half an hour."""
    failing: bool = False
    """It should be recorded, and is not."""


@dataclass(frozen=True, slots=True)
class RecordingInterruption:
    """A recording that ended though nobody ended it, of a procedure that still may be recorded."""

    recording: RecordingId
    procedure: ProcedureId


@dataclass(frozen=True, slots=True)
class RecordingInterrupted:
    """The room is not recorded, and was to be; None: that is settled."""

    interruption: RecordingInterruption | None


@dataclass(frozen=True, slots=True)
class RoomInfo:
    """The room at one moment."""

    id: RoomId
    participants: tuple[ParticipantInfo, ...]
    publications: tuple[PublicationInfo, ...]
    recording: RecordingChanged | None = None
    interruption: RecordingInterruption | None = None


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
class StandingChanged:
    """A participant's place on the survival ladder, and whose trouble it is.

    Told to themselves and to whoever speaks in the room.
    """

    participant: ParticipantId
    step: Step
    cause: Cause | None


@dataclass(frozen=True, slots=True)
class SourceQuality:
    """How one publication reaches this participant, and why not better."""

    publication: PublicationId
    layer: int | None
    """The encoding sent; ``None``: nothing."""
    still_seconds: float | None
    """Between stills, when that is all."""
    reason: str
    """A ``mediaserver.layers.Reason``."""
    upload_loss: float
    """Share of packets missing on the publisher's way to the server, before repair."""
    upload_jitter_ms: int


@dataclass(frozen=True, slots=True)
class Quality:
    """This participant's leg from the server, and what it carries. Rates are as on the wire."""

    step: Step
    cause: Cause | None
    estimate_kbit: int | None
    sent_kbit: int
    loss: float
    """Share of packets lost before repair."""
    rtt_ms: int | None
    jitter_ms: int | None
    """How unevenly packets reach the viewer (RFC 3550), by their own reports; ``None`` before the first."""
    queue_ms: int
    """For which packets wait in the link's queue."""
    repair_overhead: float
    """Bytes of repair for each byte of media."""
    sources: tuple[SourceQuality, ...]


@dataclass(frozen=True, slots=True)
class EncodingWanted:
    """What one encoding is to be; ``max_bitrate`` in bits per second of the encoder, ``None``: its own."""

    active: bool
    max_bitrate: int | None


@dataclass(frozen=True, slots=True)
class SendingWanted:
    """What is worth sending of one's own publication, by encoding, lowest first."""

    publication: PublicationId
    encodings: tuple[EncodingWanted, ...]


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
    | StandingChanged
    | Quality
    | SendingWanted
    | ChatLine
    | RecordingChanged
    | RecordingInterrupted
    | TransportState
    | Closing
)
