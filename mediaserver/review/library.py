"""What review knows of recordings besides their media: where, when, who, and which moments were marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Protocol

MAX_FOUND: Final = 200
MAX_LABEL_CHARACTERS: Final = 200
MAX_BOOKMARKS: Final = 1000
"""Of one recording."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One recording in the library."""

    id: str
    room: str
    state: str
    started_at: datetime
    ended_at: datetime | None
    title: str = ""
    reference: str = ""
    """Pseudonymous."""
    staff: Sequence[str] = ()

    @property
    def seconds(self) -> float | None:
        """None while it is being recorded."""
        return None if self.ended_at is None else (self.ended_at - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is looked for; empty fields do not narrow. Days are days of the theatre's own time zone."""

    room: str | None
    text: str = ""
    first_day: date | None = None
    last_day: date | None = None
    staff: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookmark:
    """A marked moment."""

    id: str
    seconds: float
    """On the recording's axis."""
    label: str
    live: bool
    """Marked while it happened."""


class Library(Protocol):
    """The index of recordings and their bookmarks."""

    async def search(self, query: Query) -> list[Entry]:
        """At most ``MAX_FOUND``, newest first."""

    async def entry(self, id: str) -> Entry | None:
        """One recording."""

    async def bookmarks(self, entry: Entry) -> list[Bookmark]:
        """In order of time."""

    async def mark(self, entry: Entry, seconds: float, label: str, by: str) -> Bookmark:
        """Adds one after the fact."""

    async def unmark(self, entry: Entry, bookmark: str, by: str) -> None:
        """Raises ``UnknownRecording``."""

    async def mark_live(self, room: str, label: str, by: str) -> datetime:
        """Marks this moment in whatever procedure the room serves. Raises ``NothingToMark``."""
