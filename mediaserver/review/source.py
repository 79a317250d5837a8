"""What review reads of a recording: tracks and their sealed segments on one axis of seconds.

``mediaserver/recording/reader.py`` gives it; everything here depends on this shape only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol


class Segment(Protocol):
    """One sealed file that plays by itself; ``start_seconds`` places it."""

    @property
    def number(self) -> int: ...
    @property
    def start_seconds(self) -> float: ...
    @property
    def duration_seconds(self) -> float: ...
    @property
    def media_type(self) -> str: ...
    @property
    def size(self) -> int:
        """Plain bytes."""

    @property
    def sha256(self) -> str: ...
    @property
    def gaps(self) -> Sequence[tuple[float, float, str]]:
        """Start, end, reason: on the recording's axis."""


class Track(Protocol):
    """One publication over the whole recording."""

    @property
    def id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def source_type(self) -> str: ...
    @property
    def label(self) -> str:
        """What its publisher called it."""


class Happening(Protocol):
    """Something that happened while it was recorded."""

    @property
    def seconds(self) -> float: ...
    @property
    def kind(self) -> str: ...
    @property
    def subject(self) -> str:
        """An opaque id."""

    @property
    def details(self) -> Mapping[str, object]: ...


class Recording(Protocol):
    """Opened by its reader; 0 s is its start."""

    @property
    def id(self) -> str: ...
    @property
    def started_at(self) -> datetime: ...
    @property
    def tracks(self) -> Sequence[Track]: ...
    @property
    def events(self) -> Sequence[Happening]: ...
    def segments(self, track: Track) -> Sequence[Segment]:
        """In order."""

    def read(self, segment: Segment, offset: int, length: int) -> bytes:
        """Plain bytes, fewer at the end; decrypts only the chunks needed."""
