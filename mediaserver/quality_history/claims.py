"""What a browser says of its own statistics: claims, typed and bounded. No right hangs on them."""

from __future__ import annotations

from collections import Counter, deque
from typing import Annotated, get_args

from msgspec import Meta, Struct

from mediaserver.bucket import TokenBucket
from mediaserver.errors import LimitReached
from mediaserver.events import Direction
from mediaserver.operations.model import LimitedBy

EVERY_SECONDS = 2.0
MESSAGES_PER_SECOND = 1.0
"""Twice what browsers send: a timer that was held up catches up, more is refused."""
MESSAGE_BURST = 5.0
STALE_SECONDS = 3 * EVERY_SECONDS
"""Older claims say nothing of now."""
MAX_FREEZES = 1000
SKEWS = 30
"""Messages of which the quickest is taken, a minute's worth: after an outage a burst comes late."""

Share = Annotated[float, Meta(ge=0, le=1)]
Milliseconds = Annotated[float, Meta(ge=0, le=60_000)]
Rate = Annotated[float, Meta(ge=0, le=1000)]
Pixels = Annotated[int, Meta(ge=0, le=16_384)]
PublicationName = Annotated[str, Meta(min_length=1, max_length=64)]


class LinkClaim(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One peer connection as the browser sees it."""

    round_trip_ms: Milliseconds | None = None
    loss: Share | None = None
    relayed: bool | None = None
    """The selected candidate is of type ``relay`` (TURN)."""


class SourceClaim(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One source that the browser sends; its largest layer."""

    publication: PublicationName
    width: Pixels | None = None
    height: Pixels | None = None
    captured_per_second: Rate | None = None
    encoded_per_second: Rate | None = None
    encode_ms: Milliseconds | None = None
    limited_by: LimitedBy | None = None


class ViewClaim(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One source that the browser shows; counts are those since its message before."""

    publication: PublicationName
    width: Pixels | None = None
    height: Pixels | None = None
    frames_per_second: Rate | None = None
    loss: Share | None = None
    """After repair."""
    freezes: Annotated[int, Meta(ge=0, le=MAX_FREEZES)] = 0
    freeze_ms: Milliseconds = 0
    dropped: Share | None = None
    decode_ms: Milliseconds | None = None
    buffer_ms: Milliseconds | None = None
    concealed: Share | None = None


class Claim(Struct, frozen=True, kw_only=True):
    """One message's worth."""

    clock_ms: int
    """The browser's Unix time when it sent this."""
    publish: LinkClaim | None = None
    subscribe: LinkClaim | None = None
    sources: tuple[SourceClaim, ...] = ()
    views: tuple[ViewClaim, ...] = ()


class _Frozen:
    """What was told of one view's freezes and not taken yet: ``rate`` in seconds a second."""

    __slots__ = ("count", "rate", "seconds")

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0
        self.rate = 0.0

    def add(self, view: ViewClaim, interval: float) -> _Frozen:
        """What a message told of the seconds since the one before."""
        self.count = min(MAX_FREEZES, self.count + view.freezes)
        self.seconds = min(60.0, self.seconds + view.freeze_ms / 1000)
        self.rate = self.seconds / interval
        return self


class Claims:
    """The last claim of one participant. ``now`` is any steady clock, in seconds."""

    __slots__ = ("_bucket", "_freezes", "_latest", "_relayed", "_skews", "_taken_at")

    def __init__(self) -> None:
        self._bucket = TokenBucket(MESSAGES_PER_SECOND, MESSAGE_BURST)
        self._latest: Claim | None = None
        self._taken_at = 0.0
        self._skews: deque[float] = deque(maxlen=SKEWS)
        self._freezes: dict[str, _Frozen] = {}
        self._relayed: dict[Direction, bool] = {}

    def take(self, claim: Claim, now: float, server_ms: int, told: Counter[str]) -> None:
        """Keeps it in place of the one before; ``told`` counts. Raises ``LimitReached``."""
        if not self._bucket.take(now):
            told["too_often"] += 1
            raise LimitReached("statistics every two seconds are enough")
        told["taken"] += 1
        # Of the first nobody knows how long it took.
        interval = EVERY_SECONDS if self._latest is None else now - self._taken_at
        interval = min(max(interval, 1 / MESSAGES_PER_SECOND), STALE_SECONDS)
        self._latest, self._taken_at = claim, now
        self._skews.append((claim.clock_ms - server_ms) / 1000)
        for direction in get_args(Direction):
            link: LinkClaim | None = getattr(claim, direction)
            if link is not None and link.relayed is not None:
                self._relayed[direction] = link.relayed
        before, self._freezes = self._freezes, {}
        for view in claim.views:
            known = before.get(view.publication)
            if known is not None or view.freezes or view.freeze_ms:
                self._freezes[view.publication] = (known or _Frozen()).add(view, interval)

    def age(self, now: float) -> float | None:
        """Seconds since the last claim; None before the first."""
        return None if self._latest is None else now - self._taken_at

    def current(self, now: float) -> Claim | None:
        """The last claim, unless it is stale."""
        age = self.age(now)
        return self._latest if age is not None and age <= STALE_SECONDS else None

    def relayed(self, direction: Direction) -> bool | None:
        """Whether that path went over TURN, as the browser said while it had one."""
        return self._relayed.get(direction)

    def skew_seconds(self, now: float) -> float | None:
        """Their clock against the server's; None when nothing is known of now.

        What a message was under way looks as if their clock were behind: the one that was quickest tells.
        """
        return max(self._skews) if self.current(now) is not None else None

    def take_freezes(self, publication: str, elapsed: float) -> tuple[int, float]:
        """Freezes that were told and not taken yet: their number, and of their seconds the share of the
        ``elapsed`` ones, as a message tells of several."""
        told = self._freezes.get(publication)
        if told is None:
            return 0, 0.0
        count, seconds = told.count, round(min(told.seconds, told.rate * elapsed), 3)
        told.count = 0
        told.seconds -= seconds
        if told.seconds < 0.001:
            del self._freezes[publication]
        return count, seconds
