"""What the operations interface says, as types: samples, findings, board, timeline, alerts, reports.

No name of a person is in any of them: a participant is an id and a role. Times ending in ``_ms`` are Unix
milliseconds; rates are bits per second, losses and other shares 0..1. ``None`` means not known.
``docs/operations-api.md`` describes where each is served.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from mediaserver.clinical import ClinicalClass
from mediaserver.events import Kind, SourceType, Step
from mediaserver.layers import Reason
from mediaserver.policy import Role

# ---- Samples: one a second and participant ----

LegPhase = Literal["connecting", "connected", "interrupted", "closed"]
LimitedBy = Literal["cpu", "bandwidth"]
ViewState = Literal["forwarding", "switching", "awaiting_keyframe", "nothing_flows", "paused_by_viewer"]
PictureVerdict = Literal["black", "over_exposed", "blurred", "corrupt", "unchanged", "test_pattern"]
PictureReading = Literal[PictureVerdict, "not_watched"]
"""``not_watched``: nobody looks at it, as the probe is down or cannot look at this source."""


class LegSample(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One way between a participant and the server, as the server, or where said the browser, has it."""

    phase: LegPhase
    bits_per_second: int = 0
    loss_before_ratio: float | None = None
    """Of packets, before repair."""
    loss_after_ratio: float | None = None
    """Of packets, after repair; of a leg to a viewer only the browser knows it."""
    round_trip_seconds: float | None = None
    jitter_seconds: float | None = None
    estimate_bits_per_second: int | None = None
    """What the congestion control believes the leg to carry."""
    queue_delay_seconds: float | None = None
    silent: bool = False
    """Pictures are held back: the viewer's reports stay away, or tell of loss that does not end."""
    relayed: bool | None = None
    """Goes through a TURN server; the browser says so."""
    path_changes: int = 0
    """Since the transport began."""


class SourceSample(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One publication, as it arrives."""

    publication: str
    kind: Kind
    source_type: SourceType
    bits_per_second: int = 0
    loss_before_ratio: float | None = None
    loss_after_ratio: float | None = None
    jitter_seconds: float | None = None
    age_seconds: float | None = None
    """Since its last packet."""
    layers: tuple[int, ...] = ()
    """That flow now, lowest first."""
    top_layer: int | None = None
    """Operators let nobody have more; None: no limit."""
    muted: bool = False
    frames_per_second: float | None = None
    """Sent, as the plane sees it."""
    captured_per_second: float | None = None
    """Frames a second that the camera gives, says the browser."""
    encoded_per_second: float | None = None
    width: int | None = None
    height: int | None = None
    limited_by: LimitedBy | None = None
    """What the encoder says that it is short of."""
    encode_seconds: float | None = None
    """Per frame."""
    picture: PictureReading | None = None
    """What the picture probe sees; advisory."""


class ViewSample(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One subscription: a publication as it is sent to one viewer."""

    publication: str
    kind: Kind
    state: ViewState
    """What the data plane does with it."""
    reason: Reason | None = None
    """Why this layer, or none, and not more; None before anything was chosen."""
    layer: int | None = None
    still_seconds: float | None = None
    """Sent as stills so far apart; None: it moves, or is not sent."""
    bits_per_second: int = 0
    loss_before_ratio: float | None = None
    loss_after_ratio: float | None = None
    nacks: int = 0
    """Packets asked for again in this second."""
    keyframe_requests: int = 0
    frames_per_second: float | None = None
    """Decoded, says the browser; as all that follows."""
    freezes: int = 0
    """Begun since the sample before."""
    freeze_seconds: float = 0.0
    """Spent frozen since the sample before."""
    dropped_ratio: float | None = None
    """Of frames: received, and given up before they were shown."""
    decode_seconds: float | None = None
    """Per frame."""
    jitter_buffer_seconds: float | None = None
    concealed_ratio: float | None = None
    """Of sound: invented by the receiver for what did not come."""
    delay_seconds: float | None = None
    """From capture to screen, as ``mediaserver/quality_history/delay.py`` puts it together."""
    width: int | None = None
    height: int | None = None


class Sample(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One participant in one second (after thinning: in ten)."""

    at_ms: int
    participant: str
    role: Role
    connected: bool = True
    """Their signalling socket stands."""
    clock_skew_seconds: float | None = None
    """Their clock against the server's; positive: theirs is ahead."""
    claims_age_seconds: float | None = None
    """Since the browser last told its statistics."""
    up: LegSample | None = None
    """Participant to server."""
    down: LegSample | None = None
    """Server to participant."""
    step: Step | None = None
    """Of the survival ladder, as last decided for what they watch; None before anything was."""
    sources: tuple[SourceSample, ...] = ()
    views: tuple[ViewSample, ...] = ()


class HistoryPage(Struct, frozen=True, kw_only=True):
    """Samples, oldest first; ``next`` continues (as ``cursor``), None at the end."""

    samples: list[Sample]
    next: str | None
    dropped_before_ms: int | None
    """What is older was dropped because the store was full, or past its keeping."""


# ---- Causes and findings ----

Cause = Literal[
    "publisher_uplink", "publisher_device", "source_frozen", "server_overload", "viewer_downlink",
    "viewer_device", "relay", "signalling", "recording_disk", "clock", "canary",
]  # fmt: skip
"""All but the last are of legs; ``canary`` is the server's own."""
Severity = Literal["watch", "hurt"]
"""``watch``: may soon be seen by somebody; ``hurt``: somebody sees or hears it."""


class Text(Struct, frozen=True):
    """In both languages."""

    vi: str
    en: str


class CauseText(Struct, frozen=True, kw_only=True):
    """A cause for people: what it is called and what to do about it."""

    cause: Cause
    title: Text
    action: Text


class CauseList(Struct, frozen=True, kw_only=True):
    """All causes, the one that explains most first."""

    causes: list[CauseText]


Measure = Literal[
    "loss_before",
    "loss_after",
    "round_trip",
    "jitter",
    "queue_delay",
    "concealed",
    "freeze",
    "dropped_frames",
    "encode_load",
    "decode_load",
    "frames_missing",
    "source_age",
    "clock_skew",
    "worker_load",
    "event_loop_lag",
    "forward_delay_p99",
    "send_drops",
    "canary_silence",
    "recording_lag",
    "recording_failed",
    "disk_forecast",
    "disk_free",
    "estimate",
    "nothing_arrives",
    "interrupted",
    "publisher_gone",
    "path_silent",
    "encoder_limited_by_bandwidth",
    "encoder_limited_by_cpu",
    "camera_gives_no_frames",
    "socket_away",
    "picture_black",
    "picture_over_exposed",
    "picture_blurred",
    "picture_corrupt",
    "picture_unchanged",
    "picture_test_pattern",
]
"""What is measured. The history keeps these words: none goes away while what was kept with it may be read."""
Unit = Literal["seconds", "ratio", "bits_per_second", "bytes", ""]
"""Empty for a yes (1) or no (0)."""


class Evidence(Struct, frozen=True, kw_only=True):
    """One measured reason: ``value`` passed ``limit``."""

    measure: Measure
    value: float
    limit: float
    unit: Unit


class Finding(Struct, frozen=True, kw_only=True):
    """One hurt leg, source or view and its cause.

    ``participant`` is whose, ``role`` theirs; absent for the server's own causes.
    """

    cause: Cause
    severity: Severity
    evidence: tuple[Evidence, ...]
    participant: str | None = None
    publication: str | None = None
    role: Role | None = None
    since_ms: int = 0


# ---- Board ----

RoomState = Literal["hurt", "watch", "good", "unknown"]
"""``unknown``: nobody sends or is sent anything, so nothing can be told."""


class BoardRow(Struct, frozen=True, kw_only=True):
    """One room. Rows come in the order in which to look at them: state, clinical class, time in state."""

    room: str
    clinical_class: ClinicalClass
    state: RoomState
    since_ms: int
    """When this state began."""
    cause: CauseText | None
    """Of the worst finding; None when all is good."""
    worst_participant: str | None
    worst_role: Role | None
    findings: list[Finding]
    participants: int
    viewers: int
    publications: int
    recording: bool
    opened_ms: int


class WorkerLoad(Struct, frozen=True, kw_only=True):
    """One media worker."""

    worker: int
    load_ratio: float
    """Of one processor core."""
    rooms: int


class PictureWatch(Struct, frozen=True, kw_only=True):
    """How much the probe of pictures looks at."""

    sources: int
    """Pictures that are published."""
    watched: int
    """Of them."""
    look_seconds: float | None
    """From one look at a source to the next, on average; None before any was looked at twice."""
    thumbnails: bool
    """Operators may ask for a picture; each is audited."""


class ServerState(Struct, frozen=True, kw_only=True):
    """The process itself."""

    version: str
    draining: bool
    workers: list[WorkerLoad]
    event_loop_lag_seconds: float
    """The longest of the last ten seconds."""
    recording_lag_seconds: float | None
    disk_free_bytes: int | None
    disk_forecast_seconds: float | None
    """Until the data folder's disk is full at the present rate; None when it does not fill."""
    history_queue: int
    history_dropped: int
    """Seconds, events and alerts that could not be kept, or not until their time, since the start."""
    pictures: PictureWatch | None
    """None: nobody looks at pictures here."""


class CanaryReading(Struct, frozen=True, kw_only=True):
    """What the synthetic viewer last saw of the synthetic publisher."""

    at_ms: int
    delay_seconds: float | None
    loss_ratio: float | None
    silent_seconds: float


class Board(Struct, frozen=True, kw_only=True):
    """All live rooms.

    ``sampled_at_ms`` is when the samples were taken: the page shows ``now - sampled_at_ms`` by the clock
    difference to ``at_ms`` and turns red above ``stale_after_seconds``.
    """

    at_ms: int
    sampled_at_ms: int | None
    stale_after_seconds: int
    rows: list[BoardRow]
    live_surgeries: int
    """Rooms of class surgery or emergency in which somebody is: restarts are refused while any is."""
    open_alerts: int
    server: ServerState
    canary: CanaryReading | None


class ParticipantDetail(Struct, frozen=True, kw_only=True):
    """One participant now."""

    id: str
    role: Role
    viewer: bool
    """Watches by WHEP."""
    joined_ms: int
    sample: Sample | None
    findings: list[Finding]


class RoomDetail(Struct, frozen=True, kw_only=True):
    """One live room, down to the tracks. The path surgeon > server > specialist is ``up`` of whoever has
    ``sources`` and ``down`` of whoever has ``views``."""

    at_ms: int
    sampled_at_ms: int | None
    row: BoardRow
    participants: list[ParticipantDetail]
    looked_ms: dict[str, int]
    """By publication: when the probe last looked at its picture."""


class RoomSpan(Struct, frozen=True, kw_only=True):
    """A room from its first participant to its end, as the history knows it."""

    span: int
    room: str
    clinical_class: ClinicalClass
    opened_ms: int
    closed_ms: int | None
    """None while it stands."""


class RoomSpanPage(Struct, frozen=True, kw_only=True):
    """Newest first."""

    spans: list[RoomSpan]
    next: str | None


# ---- Timeline ----

TimelineKind = Literal[
    "room_opened",
    "room_closed",
    "joined",
    "left",
    "socket_lost",
    "socket_back",
    "published",
    "unpublished",
    "muted",
    "unmuted",
    "frozen",
    "flows_again",
    "layers_changed",
    "layer_forwarded",
    "transport",
    "path_changed",
    "recording_started",
    "recording_stopped",
    "finding_raised",
    "finding_cleared",
]


class TimelineEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that happened in a room, to the second.

    ``detail`` is a short word or number for the kind: a role, a source's type, a transport's direction and
    phase, layers, a layer (or ``none``) and the ``Reason`` for it, a cause and its severity. ``evidence`` is
    a finding's, as it was raised.
    """

    at_ms: int
    kind: TimelineKind
    participant: str | None = None
    publication: str | None = None
    detail: str = ""
    evidence: tuple[Evidence, ...] = ()


class TimelinePage(Struct, frozen=True, kw_only=True):
    """Oldest first."""

    events: list[TimelineEvent]
    next: str | None
    dropped_before_ms: int | None
    """As of ``HistoryPage``."""


# ---- Alerts ----


class Alert(Struct, frozen=True, kw_only=True):
    """A finding that lasted: one a cause and room in five minutes; ``repeats`` counts what came within."""

    id: str
    room: str | None
    """None for a cause of the server itself."""
    clinical_class: ClinicalClass | None
    cause: CauseText
    severity: Severity
    participant: str | None
    evidence: tuple[Evidence, ...]
    raised_ms: int
    cleared_ms: int | None
    repeats: int = 0
    role: Role | None = None
    """Of ``participant``, the most important whom it hurts."""


class AlertPage(Struct, frozen=True, kw_only=True):
    """Newest first."""

    alerts: list[Alert]
    next: str | None
