"""The WebSocket protocol's messages, ``loupe.v1.json``: parsed once, here, into types.

Every client request carries ``id`` (chosen by the client) and is answered by one
``ok``-like message or one ``error`` with the same ``id``. Ordered server events carry
``seq``, so that a resumed socket can replay what it missed. ``docs/protocol.md``
describes the conversation; ``docs/protocol.schema.json`` is exported from this module.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from mediaserver.events import ClosingReason
from mediaserver.layers import Reason
from mediaserver.policy import Right, Role
from mediaserver.quality_history.claims import LinkClaim, SourceClaim, ViewClaim

PROTOCOL = "loupe.v1.json"
VERSION = 1

MAX_SDP_BYTES = 64 * 1024
MAX_CHAT_CHARACTERS = 2_000
MAX_MARK_CHARACTERS = 200
MAX_NAME_CHARACTERS = 64
MAX_LABEL_CHARACTERS = 64
MAX_SOURCES = 8
MAX_SUBSCRIPTIONS = 64

RequestId = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Sdp = Annotated[str, Meta(max_length=MAX_SDP_BYTES)]
Name = Annotated[str, Meta(max_length=MAX_NAME_CHARACTERS)]
LabelText = Annotated[str, Meta(min_length=1, max_length=MAX_LABEL_CHARACTERS)]
Id = Annotated[str, Meta(min_length=1, max_length=64)]
Mid = Annotated[str, Meta(min_length=1, max_length=16)]
SourceType = Literal["endoscope", "overhead", "ultrasound", "monitor", "room", "microphone", "other"]
Kind = Literal["audio", "video"]
Step = Literal["full", "reduced", "stills", "sound", "silent"]
Cause = Literal["link", "publisher", "server"]


# ---- What clients send ----


class ClientMessage(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", kw_only=True):
    """A request; ``id`` comes back in its answer."""

    id: RequestId


class Resume(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Names a session whose socket dropped at most 30 s ago; ``seq`` is the last event the client saw."""

    session: Id
    token: Annotated[str, Meta(max_length=128)]
    seq: Annotated[int, Meta(ge=0)]


class Join(ClientMessage, tag="join", frozen=True, kw_only=True):
    """The first message on a socket: who comes, with which right. Answered by ``hello``."""

    token: Annotated[str, Meta(max_length=4096)]
    name: Name = ""
    resume: Resume | None = None


class Source(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One media section of a publish offer, as the room shall know it."""

    mid: Mid
    label: LabelText
    source_type: SourceType


class Publish(ClientMessage, tag="publish", frozen=True, kw_only=True):
    """An SDP offer of all sources this participant sends; also an ICE restart.

    Answered by ``published_answer``.

    A section that is ``inactive`` or rejected ends its publication.
    """

    sdp: Sdp
    sources: Annotated[list[Source], Meta(max_length=MAX_SOURCES)]


class Subscribe(ClientMessage, tag="subscribe", frozen=True, kw_only=True):
    """The whole set of publications the client wants from now on; ``ok``, an ``offer`` when media change.

    ``automatic`` adds all publications of others, those that appear later too.
    """

    publications: Annotated[list[Id], Meta(max_length=MAX_SUBSCRIPTIONS)]
    automatic: bool = False


class Answer(ClientMessage, tag="answer", frozen=True, kw_only=True):
    """The client's SDP answer to the server's ``offer`` of this generation. Answered by ``ok``."""

    generation: Annotated[int, Meta(ge=1)]
    sdp: Sdp


class RestartIce(ClientMessage, tag="restart_ice", frozen=True, kw_only=True):
    """Asks for new ICE credentials on the subscribe transport: ``ok``, then an ``offer``."""


class Prefer(ClientMessage, tag="prefer", frozen=True, kw_only=True):
    """A wish about one subscription. ``ok``.

    ``layer`` is the highest of use (lowest 0, none: the best); the link decides whether so much is sent. What
    is ``paused`` is not sent; what is ``pinned`` comes before all other pictures.
    """

    publication: Id
    layer: Annotated[int, Meta(ge=0, le=3)] | None = None
    paused: bool = False
    pinned: bool = False


class Mute(ClientMessage, tag="mute", frozen=True, kw_only=True):
    """Stops (or resumes) forwarding one publication: one's own, or another's with the right ``moderate``.

    ``ok``.
    """

    publication: Id
    muted: bool


class Chat(ClientMessage, tag="chat", frozen=True, kw_only=True):
    """A line of text to the room. ``ok``."""

    text: Annotated[str, Meta(min_length=1, max_length=MAX_CHAT_CHARACTERS)]


class Mark(ClientMessage, tag="mark", frozen=True, kw_only=True):
    """Marks this moment of the procedure for review (right ``mark``). ``ok``."""

    label: Annotated[str, Meta(max_length=MAX_MARK_CHARACTERS)] = ""


class StartRecording(ClientMessage, tag="start_recording", frozen=True, kw_only=True):
    """Records the room for this procedure (right ``record``, and consent to recording). ``ok``, then
    ``recording``."""

    procedure: Id


class StopRecording(ClientMessage, tag="stop_recording", frozen=True, kw_only=True):
    """Ends the room's recording (right ``record``), or leaves one that was interrupted. ``ok``, then
    ``recording`` or ``recording_interrupted``."""


class Remove(ClientMessage, tag="remove", frozen=True, kw_only=True):
    """Removes a participant (right ``moderate``). ``ok``."""

    participant: Id


class CloseRoom(ClientMessage, tag="close_room", frozen=True, kw_only=True):
    """Ends the session of everyone in the room (right ``moderate``). ``ok``, then ``closing`` to all."""


class Leave(ClientMessage, tag="leave", frozen=True, kw_only=True):
    """Ends the session at once. ``ok``, then the socket closes with 1000."""


class Ping(ClientMessage, tag="ping", frozen=True, kw_only=True):
    """Keeps the session alive and measures the way: answered by ``pong``."""


class Statistics(ClientMessage, tag="statistics", frozen=True, kw_only=True):
    """What the browser measured since its last such message, every two seconds: claims for operators.

    ``ok``.
    """

    clock_ms: Annotated[int, Meta(ge=0, le=2**53 - 1)]
    """The client's Unix time in milliseconds."""
    publish: LinkClaim | None = None
    subscribe: LinkClaim | None = None
    sources: Annotated[list[SourceClaim], Meta(max_length=MAX_SOURCES)] = []
    views: Annotated[list[ViewClaim], Meta(max_length=MAX_SUBSCRIPTIONS)] = []


Request = (
    Join
    | Publish
    | Subscribe
    | Answer
    | RestartIce
    | Prefer
    | Mute
    | Chat
    | Mark
    | StartRecording
    | StopRecording
    | Remove
    | CloseRoom
    | Leave
    | Ping
    | Statistics
)


# ---- What the server sends ----


class ServerMessage(Struct, frozen=True, tag_field="type", kw_only=True, omit_defaults=False):
    """Anything the server sends."""


class PublicationInfo(Struct, frozen=True, kw_only=True):
    """One publication as the room sees it."""

    id: str
    participant: str
    kind: Kind
    codec: str
    label: str
    source_type: SourceType
    muted: bool
    layers: list[int]
    """Indices of the layers that flow now, lowest first; empty while nothing flows."""
    silent_ms: int
    """0 while the source flows; else how long it has been silent when last told."""
    encodings: int
    """How many layers there are, whether or not they flow now."""


class ParticipantInfo(Struct, frozen=True, kw_only=True):
    """One participant as the room sees them."""

    id: str
    name: str
    role: Role
    connected: bool
    """False while their socket is away and may still resume."""


class RoomRecording(Struct, frozen=True, kw_only=True):
    """What records the room now."""

    recording: str
    since_ms: int
    """Unix time in milliseconds."""
    minutes_left: int | None = None
    """Until the disk is full, once that is less than half an hour."""
    failing: bool = False
    """It should be recorded, and is not."""


class RecordingInterruption(Struct, frozen=True, kw_only=True):
    """A recording that ended though nobody ended it: its room had emptied, or the server began anew. Its
    procedure may be recorded still: ``start_recording`` goes on in a new recording, ``stop_recording`` says
    that none is wanted."""

    recording: str
    procedure: str


class RoomInfo(Struct, frozen=True, kw_only=True):
    """The room at one moment."""

    id: str
    participants: list[ParticipantInfo]
    publications: list[PublicationInfo]
    recording: RoomRecording | None = None
    """Null while nothing is recorded."""
    interruption: RecordingInterruption | None = None
    """Null unless the room should be recorded and nobody went on with it."""


class IceServer(Struct, frozen=True, kw_only=True):
    """As the browser's ``RTCIceServer``."""

    urls: list[str]
    username: str | None = None
    credential: str | None = None


class Limits(Struct, frozen=True, kw_only=True):
    """What the server will take."""

    message_bytes: int
    messages_per_second: int
    sources: int
    subscriptions: int
    resume_seconds: int
    heartbeat_seconds: int


class Hello(ServerMessage, tag="hello", frozen=True, kw_only=True):
    """Answers ``join``. With ``resumed`` true the media stands as before and missed events follow."""

    id: int
    version: int
    session: str
    resume_token: str
    resumed: bool
    seq: int
    """The seq of the newest event already contained in ``room``."""
    participant: str
    role: Role
    rights: list[Right]
    room: RoomInfo
    ice_servers: list[IceServer]
    limits: Limits
    server_time_ms: int
    """Unix time in milliseconds."""


class Ok(ServerMessage, tag="ok", frozen=True, kw_only=True):
    """The request was done."""

    id: int


class Pong(ServerMessage, tag="pong", frozen=True, kw_only=True):
    """Answers ``ping``."""

    id: int
    server_time_ms: int


class Error(ServerMessage, tag="error", frozen=True, kw_only=True):
    """The request was not done.

    ``field`` is a JSON path such as ``$.sources[0].label``;
    ``id`` is null when the message was too broken to have one.
    """

    id: int | None
    code: str
    message: str
    retryable: bool
    field: str | None = None


class PublishedSource(Struct, frozen=True, kw_only=True):
    """Which publication a media section became."""

    mid: str
    publication: str


class PublishedAnswer(ServerMessage, tag="published_answer", frozen=True, kw_only=True):
    """Answers ``publish``."""

    id: int
    sdp: str
    sources: list[PublishedSource]


class ServerEvent(ServerMessage, frozen=True, kw_only=True):
    """Something that happened in the room, in order."""

    seq: int


class SubscribedSource(Struct, frozen=True, kw_only=True):
    """Which publication a media section of an offer carries."""

    mid: str
    publication: str


class Offer(ServerEvent, tag="offer", frozen=True, kw_only=True):
    """The server's SDP offer for what this client subscribes to; answer with the same generation."""

    generation: int
    sdp: str
    sources: list[SubscribedSource]


class ParticipantJoined(ServerEvent, tag="participant_joined", frozen=True, kw_only=True):
    """Somebody came."""

    participant: ParticipantInfo


class ParticipantChanged(ServerEvent, tag="participant_changed", frozen=True, kw_only=True):
    """Somebody's socket dropped or came back."""

    participant: ParticipantInfo


class ParticipantLeft(ServerEvent, tag="participant_left", frozen=True, kw_only=True):
    """Somebody went."""

    participant: str


class Published(ServerEvent, tag="published", frozen=True, kw_only=True):
    """A source appeared."""

    publication: PublicationInfo


class PublicationChanged(ServerEvent, tag="publication_changed", frozen=True, kw_only=True):
    """A source was muted, fell silent, flows again, or its layers changed."""

    publication: PublicationInfo


class RecordingChanged(ServerEvent, tag="recording", frozen=True, kw_only=True):
    """The room is being recorded since this moment, or no longer; everyone who is in it shall see it."""

    state: Literal["recording", "sealed", "withdrawn"]
    recording: str
    since_ms: int
    """Unix time in milliseconds."""
    minutes_left: int | None = None
    """Until the disk is full, once that is less than half an hour; told anew as it changes."""
    failing: bool = False
    """It should be recorded, and is not."""


class RecordingInterrupted(ServerEvent, tag="recording_interrupted", frozen=True, kw_only=True):
    """The room's last recording was interrupted and nobody went on with it; null: that is settled."""

    interruption: RecordingInterruption | None


class Unpublished(ServerEvent, tag="unpublished", frozen=True, kw_only=True):
    """A source ended."""

    publication: str


class LayerForwarded(ServerEvent, tag="layer_forwarded", frozen=True, kw_only=True):
    """Which layer of a publication this client gets from now on (null: nothing)."""

    publication: str
    layer: int | None


class StandingChanged(ServerEvent, tag="standing", frozen=True, kw_only=True):
    """A participant's place on the survival ladder, told to themselves, to surgeons and to moderators.

    ``full``: every picture as well as it is wanted; ``reduced``: smaller, slower or fewer; ``stills``: the
    chosen picture is a still now and then; ``sound``: no picture; ``silent``: nothing is heard of them.
    ``cause`` says whose trouble it is: the participant's own link, the publisher, or the server.
    """

    participant: str
    step: Step
    cause: Cause | None


class SourceQuality(Struct, frozen=True, kw_only=True):
    """How one publication reaches this client, and why not better."""

    publication: str
    layer: int | None
    """The layer chosen; null: nothing is sent."""
    still_seconds: float | None
    """Seconds between stills, when only stills are sent."""
    reason: Reason
    upload_loss: float
    """Share of packets missing on the publisher's way to the server, before repair."""
    upload_jitter_ms: int


class Quality(ServerEvent, tag="quality", frozen=True, kw_only=True):
    """The client's leg from the server and what it carries: when it changed, at most once a second."""

    step: Step
    cause: Cause | None
    estimate_kbit: int | None
    """What the link carries, with all headers; null before the first word about it."""
    sent_kbit: int
    loss: float
    """Share of packets lost before repair."""
    rtt_ms: int | None
    jitter_ms: int | None
    """How unevenly packets reach the client (RFC 3550), by its own reports; null before the first."""
    queue_ms: int
    """How long packets wait in the link's queue."""
    repair_overhead: float
    """Bytes of repair for each byte of media."""
    sources: list[SourceQuality]


class EncodingWanted(Struct, frozen=True, kw_only=True):
    """What one layer of one's own publication shall be."""

    active: bool
    max_bitrate: int | None
    """Bits per second of the encoder; null: its own."""


class SendingWanted(ServerEvent, tag="sending_wanted", frozen=True, kw_only=True):
    """What is worth sending of one's own publication, by layer, lowest first: nobody needs more."""

    publication: str
    encodings: list[EncodingWanted]


class ChatLine(ServerEvent, tag="chat_line", frozen=True, kw_only=True):
    """Somebody wrote."""

    participant: str
    name: str
    text: str
    time_ms: int


class TransportState(ServerEvent, tag="transport", frozen=True, kw_only=True):
    """The state of one of this client's two transports as the server sees it."""

    direction: Literal["publish", "subscribe"]
    state: Literal["connecting", "connected", "interrupted", "closed"]


class Closing(ServerEvent, tag="closing", frozen=True, kw_only=True):
    """The session ends now, for this reason; the socket closes after it."""

    reason: ClosingReason
    reconnect: bool


Event = (
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

Response = Hello | Ok | Pong | Error | PublishedAnswer

_decoder = msgspec.json.Decoder(Request)
_encoder = msgspec.json.Encoder()


def parse(text: str | bytes) -> Request:
    """Raises ``msgspec.ValidationError`` (naming the field) or ``msgspec.DecodeError``."""
    request: Request = _decoder.decode(text)
    return request


def render(message: ServerMessage) -> bytes:
    """One JSON object."""
    return _encoder.encode(message)
