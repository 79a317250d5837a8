"""Subscriptions and links as tests of layer choice need them."""

from __future__ import annotations

from collections.abc import Sequence

from mediaserver.events import SourceType
from mediaserver.layers import Demand, Encoding, Link

LADDER = ((105_000.0, 165_000.0), (330_000.0, 540_000.0), (1_100_000.0, 1_830_000.0))
"""180p, 360p and 720p of the standard session, two temporal layers each, as on the wire."""
SPEECH = 50_000.0
ALL = SPEECH + LADDER[2][1]


def encodings(ladder: Sequence[Sequence[float]] = LADDER) -> tuple[Encoding, ...]:
    """A simulcast ladder; each row has an encoding's temporal layers."""
    return tuple(Encoding((tuple(row),)) for row in ladder)


def voice(key: int = 1, *, talkback: bool = True, rate: float = SPEECH) -> Demand:
    """Somebody's microphone."""
    return Demand(key, "audio", "microphone", (Encoding(((rate,),)),), talkback=talkback)


def picture(
    key: int = 2,
    source: SourceType = "endoscope",
    ladder: Sequence[Sequence[float]] = LADDER,
    *,
    pinned: bool = False,
    hidden: bool = False,
    muted: bool = False,
    cap: int | None = None,
    limited: bool = False,
    shared: bool = False,
) -> Demand:
    """A camera."""
    flags = {"pinned": pinned, "hidden": hidden, "muted": muted, "limited": limited, "shared": shared}
    return Demand(key, "video", source, encodings(ladder), cap=cap, **flags)


def steady(estimate: int, volatility: float = 0.0) -> Link:
    """A link without a queue and without loss."""
    return Link(estimate, "steady", volatility=volatility)


def queued(estimate: int) -> Link:
    """A link on which packets wait."""
    return Link(estimate, "steady", queue_delay_seconds=0.2)
