"""What goes into layer choice and what comes out: frozen values.

Rates are bits per second as on the wire, IP and UDP headers included; times are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Literal, TypeAlias

from mediaserver.events import Kind, SourceType

Phase: TypeAlias = Literal["start", "steady", "drain", "silent"]


@dataclass(frozen=True, slots=True)
class Link:
    """The path to one viewer, as the data plane last told it."""

    estimate: int | None = None
    """What it carries; ``None`` before the first word about it."""
    phase: Phase = "start"
    queue_delay_seconds: float = 0.0
    inherent_loss: float = 0.0
    """Share of packets lost whatever we send, before repair."""
    congestion_loss: float = 0.0
    volatility: float = 0.0
    """Standard deviation of the estimate's natural logarithm over some 15 s."""
    repair_overhead: float = 0.0
    """Repair and protection bytes sent for each byte of media, as measured."""
    round_trip_seconds: float | None = None
    """Of the empty path, once known."""
    probed: bool = True
    """Whether the plane can find out by itself that the path carries more (needs transport-wide feedback)."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """One encoding of a publication as it flows now, lowest first among its like."""

    rates: tuple[tuple[float, ...], ...] = ()
    """By spatial, then by temporal layer, both cumulative; 0 where unknown."""
    flows: bool = True
    settled: bool = True
    """Whether its meters have seen it long enough to be trusted: a full second."""
    dormant: bool = False
    """Does not flow because the publisher was told that nobody needs it: it would come when asked for."""
    height: int | None = None
    frames_per_second: float | None = None
    potential: int | None = None
    """What it takes when nothing restrains its encoder; ``None``: what is usual for its source."""


@dataclass(frozen=True, slots=True)
class Demand:
    """One subscription: what the viewer may be sent of one publication, and how much it matters to them."""

    key: int
    kind: Kind
    source_type: SourceType
    encodings: tuple[Encoding, ...]
    talkback: bool = False
    """The voice of somebody who takes part in the operation."""
    pinned: bool = False
    hidden: bool = False
    """The viewer does not want it now."""
    muted: bool = False
    """The publisher does not send it now."""
    cap: int | None = None
    """The highest encoding of use to the viewer, by the size shown, and by the operators' limit."""
    limited: bool = False
    """``cap`` is that limit, and the viewer would have more."""
    shared: bool = False
    """Others get it too and would pay for key frames that this viewer needs."""


# ---- What is decided ----


@dataclass(frozen=True, slots=True)
class Option:
    """One way to forward a publication: ``None`` takes all layers that there are."""

    encoding: int
    spatial: int | None = None
    temporal: int | None = None


@dataclass(frozen=True, slots=True)
class Forward:
    """The picture, or the sound, as it comes."""

    option: Option


@dataclass(frozen=True, slots=True)
class Still:
    """One key frame in so many seconds, and nothing between."""

    option: Option
    interval_seconds: float


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing."""


Sending: TypeAlias = Forward | Still | Pause


class Reason(StrEnum):
    """Why this much and not more."""

    FULL = "full"
    """It is all there is."""
    SHOWN_SMALL = "shown_small"
    """The viewer shows it no larger."""
    LIMITED = "limited"
    """Operators let no higher layer of it through."""
    HIDDEN = "hidden"
    """The viewer hid it."""
    MUTED = "muted"
    """Its publisher pauses it."""
    PUBLISHER = "publisher"
    """Its publisher sends less than it could."""
    NO_SIGNAL = "no_signal"
    """Its publisher sends nothing."""
    MEASURING = "measuring"
    """The link has only begun to be measured."""
    SETTLING = "settling"
    """The link seems to carry more and has yet to prove it."""
    PRIORITY = "priority"
    """The link carries more, but something more important needs it."""
    LINK = "link"
    """The link carries no more."""
    SILENT = "silent"
    """Nothing is heard of the viewer."""


class Step(IntEnum):
    """Where a viewer stands on the survival ladder; higher is worse."""

    FULL = 0
    """Every picture as well as it is wanted."""
    REDUCED = 1
    """Some picture is smaller, slower, still or missing, but the chosen one moves."""
    STILLS = 2
    """The chosen picture is a still now and then."""
    SOUND = 3
    """No picture: sound alone."""
    SILENT = 4
    """Nothing is heard of the viewer."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What is sent of one subscription. ``rate`` is what it takes; ``share`` what it might take without
    harming the others, its own rate included: the publisher's encoder may be fitted to it."""

    sending: Sending
    reason: Reason
    rate: float
    share: float
    wanted: int | None
    """The encoding that would be taken if every dormant one flowed."""
