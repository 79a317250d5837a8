"""Who is watching which recording: a view is opened with a token, known by a secret of its own, and audited.

A browser's media element can send no ``Authorization`` header, but it sends a cookie. The secret is one,
and opens one recording for one holder until the view ends.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeAlias, TypeVar

from mediaserver.errors import LimitReached
from mediaserver.policy import Role
from mediaserver.recording.reader import Recording, Segment, Track
from mediaserver.review.purposes import Use
from mediaserver.store.recordings import UnknownRecording

VIEW_SECONDS: Final = 4 * 3600.0
"""A view of a long operation; the page opens the next by itself."""
MAX_VIEWS: Final = 200
MAX_VIEWS_OF_ONE: Final = 8
"""Of one holder: tabs."""
SECRET_BYTES: Final = 32
MAX_SPANS: Final = 500
"""Of one track in the audit: where there are more, the shortest ways between them count as seen."""

H = TypeVar("H")
Span: TypeAlias = tuple[float, float]
"""Seconds from and to."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was shown, by track."""

    segments: dict[str, set[int]] = field(default_factory=dict)
    """Numbers of those that were read."""
    pictures: dict[str, set[int]] = field(default_factory=dict)
    """Seconds whose small picture was shown."""


@dataclass(slots=True)
class View(Generic[H]):
    """One holder's look at one recording."""

    id: str
    secret: str
    holder: H
    subject: str
    role: Role
    room: str
    recording: Recording
    """Read by one thread at a time."""
    use: Use
    """What it was opened for."""
    ends_at: float
    seen: Seen = field(default_factory=Seen)
    """Since it was opened."""
    fresh: Seen = field(default_factory=Seen)
    """Since the audit was told."""

    def track(self, id: str) -> Track:
        """Raises ``UnknownRecording``."""
        for track in self.recording.tracks:
            if track.id == id:
                return track
        raise UnknownRecording("no such track in this recording")

    def segment(self, track: Track, number: int) -> Segment:
        """Raises ``UnknownRecording``."""
        for segment in self.recording.segments(track):
            if segment.number == number:
                return segment
        raise UnknownRecording("no such segment of this track")

    def note(self, track: Track, segment: Segment) -> None:
        """This was watched."""
        for seen in (self.seen, self.fresh):
            seen.segments.setdefault(track.id, set()).add(segment.number)

    def note_picture(self, track: Track, second: int) -> None:
        """A small picture of this second was shown."""
        for seen in (self.seen, self.fresh):
            seen.pictures.setdefault(track.id, set()).add(second)

    def spans(self) -> dict[str, str]:
        """What was seen, as ``watched.TRACK`` and, of small pictures, ``pictures.TRACK``: seconds from and
        to, neighbours joined: ``0-90,120-180``."""
        return self._spans(self.seen)

    def take_fresh(self) -> dict[str, str]:
        """What was seen since this was asked last, as ``spans``; empty where nothing was."""
        fresh, self.fresh = self.fresh, Seen()
        return self._spans(fresh)

    def _spans(self, seen: Seen) -> dict[str, str]:
        watched = {f"watched.{track}": self._read(track, numbers) for track, numbers in seen.segments.items()}
        pictures = {
            f"pictures.{track}": [(float(one), one + 1.0) for one in sorted(seconds)]
            for track, seconds in seen.pictures.items()
        }
        return {name: _text(spans) for name, spans in (watched | pictures).items()}

    def _read(self, track: str, numbers: set[int]) -> list[Span]:
        return [
            (one.start_seconds, one.start_seconds + one.duration_seconds)
            for one in self.recording.segments(self.track(track))
            if one.number in numbers
        ]


def _text(spans: Sequence[Span]) -> str:
    apart = 1.0
    joined = _joined(spans, apart)
    while len(joined) > MAX_SPANS:
        apart *= 2
        joined = _joined(joined, apart)
    return ",".join(f"{start:.0f}-{end:.0f}" for start, end in joined)


def _joined(spans: Sequence[Span], apart: float) -> list[Span]:
    """Those that lie less than so many seconds apart as one."""
    joined: list[Span] = []
    for start, end in spans:
        near = bool(joined) and start - joined[-1][1] < apart
        joined.append((joined.pop()[0] if near else start, end))
    return joined


class Views(Generic[H]):
    """All views of this process."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._by_secret: dict[str, View[H]] = {}

    def __len__(self) -> int:
        return len(self._by_secret)

    def open(self, holder: H, subject: str, role: Role, room: str, recording: Recording, use: Use) -> View[H]:
        """Raises ``LimitReached``."""
        if len(self._by_secret) >= MAX_VIEWS:
            raise LimitReached("too many recordings are being watched; try again later")
        if sum(view.subject == subject for view in self._by_secret.values()) >= MAX_VIEWS_OF_ONE:
            raise LimitReached("too many recordings are open; close one")
        view = View(
            id=secrets.token_urlsafe(12),
            secret=secrets.token_urlsafe(SECRET_BYTES),
            holder=holder,
            subject=subject,
            role=role,
            room=room,
            recording=recording,
            use=use,
            ends_at=self._now() + VIEW_SECONDS,
        )
        self._by_secret[view.secret] = view
        return view

    def get(self, secret: str, recording: str) -> View[H]:
        """The view that this secret opens. Raises ``UnknownRecording``."""
        view = self._by_secret.get(secret)
        if view is None or view.recording.id != recording or view.ends_at <= self._now():
            raise UnknownRecording("this view has ended; open the recording again")
        return view

    def close(self, secret: str) -> View[H] | None:
        """Ends it; None when it has ended."""
        return self._by_secret.pop(secret, None)

    def all(self) -> list[View[H]]:
        """Those that stand."""
        return list(self._by_secret.values())

    def expired(self) -> list[View[H]]:
        """Those whose time is over: taken out, for whoever tells the audit."""
        now = self._now()
        return [
            self._by_secret.pop(view.secret) for view in list(self._by_secret.values()) if view.ends_at <= now
        ]
