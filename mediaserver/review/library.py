"""What review asks of whatever knows the recordings: find them, mark their moments."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from mediaserver.store.library import Bookmark, Entry, Query


class Library(Protocol):
    """The index of recordings and their bookmarks."""

    async def search(self, query: Query) -> list[Entry]:
        """At most ``MAX_FOUND``, newest first."""

    async def entry(self, id: str) -> Entry | None:
        """One recording."""

    async def bookmarks(self, entry: Entry) -> list[Bookmark]:
        """In order of time."""

    async def mark(self, entry: Entry, seconds: float, label: str, by: str) -> Bookmark:
        """Adds one after the fact. Raises ``NothingToMark``, ``LimitReached``."""

    async def unmark(self, entry: Entry, bookmark: str, by: str) -> None:
        """Raises ``UnknownBookmark``."""

    async def mark_live(self, room: str, label: str, by: str) -> datetime:
        """Marks this moment in whatever procedure the room serves. Raises ``NothingToMark``."""
