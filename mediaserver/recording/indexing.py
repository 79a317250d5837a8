"""Fills the store's index of recordings from their folders, which are the truth: at every start, and while
they grow. What is held, kept, deleted, counted and moved to object storage is found by this index.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

import structlog

from mediaserver.recording.folder import RecordingFolder, folders
from mediaserver.recording.reader import Recording, Segment
from mediaserver.store.database import DatabaseFailed
from mediaserver.store.procedures import UnknownProcedure
from mediaserver.store.recordings import Location, Recordings, SegmentRow
from mediaserver.vault import NotAuthentic, Vault

LOOK_SECONDS: Final = 5.0
FIRST_RETRY_SECONDS: Final = 5.0
"""After a disk could not read a recording; doubled each time up to the longest."""
LONGEST_RETRY_SECONDS: Final = 600.0

_log = structlog.stdlib.get_logger(__name__)


@dataclass(slots=True)
class Indexing:
    """Reads a manifest only when it has changed since, or could not be read. Disks are asked in threads."""

    roots: tuple[Path, ...]
    vault: Vault
    index: Recordings
    clock: Callable[[], float] = time.monotonic
    """In seconds."""
    _seen: dict[str, tuple[int, int]] = field(default_factory=dict)
    _unreadable: set[str] = field(default_factory=set)
    _retries: dict[str, tuple[float, float]] = field(default_factory=dict)
    """When the disk is asked again for one that it could not read, and after how long then."""

    @property
    def unreadable(self) -> int:
        """Folders that could not be read, or belong to no known procedure: no library shows them."""
        return len(self._unreadable)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.step()
            except (DatabaseFailed, OSError) as error:  # a root that cannot be listed now
                reason = error.message if isinstance(error, DatabaseFailed) else type(error).__name__
                _log.warning("recordings not indexed", reason=reason)
            await asyncio.sleep(LOOK_SECONDS)

    async def step(self) -> int:
        """Takes in what has changed; how many recordings. Raises ``DatabaseFailed``, ``OSError``."""
        changed = 0
        found = await asyncio.to_thread(lambda: [(folder, _stamp(folder)) for folder in folders(*self.roots)])
        self._unreadable &= {folder.id for folder, _ in found}
        for folder, stamp in found:
            due, _ = self._retries.get(folder.id, (0.0, 0.0))
            if stamp is None or self._seen.get(folder.id) == stamp or self.clock() < due:
                continue
            changed += await self._look(folder, stamp)
        return changed

    async def _look(self, folder: RecordingFolder, stamp: tuple[int, int]) -> bool:
        """Whether it was taken in. One that cannot be read must not hide the others."""
        try:
            recording = await asyncio.to_thread(Recording.open, folder.path, self.vault, folder.elsewhere)
            await self._take(folder, recording)
        except OSError as error:  # it may be there again in a moment
            _, pause = self._retries.get(folder.id, (0.0, FIRST_RETRY_SECONDS))
            self._retries[folder.id] = (self.clock() + pause, min(2 * pause, LONGEST_RETRY_SECONDS))
            self._tell(folder, error)
            return False
        except (NotAuthentic, KeyError, ValueError, UnknownProcedure) as error:
            self._tell(folder, error)
        else:
            self._unreadable.discard(folder.id)
        self._retries.pop(folder.id, None)
        self._seen[folder.id] = stamp
        return folder.id not in self._unreadable

    def _tell(self, folder: RecordingFolder, error: Exception) -> None:
        self._unreadable.add(folder.id)
        _log.warning("recording not indexed", recording=folder.id, reason=type(error).__name__)

    async def _take(self, folder: RecordingFolder, recording: Recording) -> None:
        id = recording.id
        await self.index.begin(id, recording.procedure, recording.room, recording.started_at)
        known = {(one.track, one.number) for one in await self.index.segments(id)}
        new = [
            one
            for track in recording.tracks
            for one in recording.segments(track)
            if (one.track, one.number) not in known
        ]
        await self.index.add(id, await asyncio.to_thread(lambda: [_row(folder, one) for one in new]))
        over = recording.state in ("sealed", "withdrawn")
        ended = recording.started_at + timedelta(seconds=recording.duration_seconds) if over else None
        await self.index.change(id, recording.state, ended)


def _row(folder: RecordingFolder, one: Segment) -> SegmentRow:
    """A segment that is not here any more has moved to object storage."""
    size, location = _lies(folder, one)
    return SegmentRow(
        track=one.track,
        number=one.number,
        start_seconds=one.start_seconds,
        duration_seconds=one.duration_seconds,
        media_type=one.media_type,
        plain_bytes=one.size,
        encrypted_bytes=size,
        sha256=bytes.fromhex(one.sha256),
        location=location,
    )


def _lies(folder: RecordingFolder, one: Segment) -> tuple[int, Location]:
    file = folder.segment_file(one.track, one.number, one.suffix)
    try:
        size = file.stat().st_size
    except FileNotFoundError:
        return one.size, "object"
    return size, "local" if file.is_relative_to(folder.path) else "second"


def _stamp(folder: RecordingFolder) -> tuple[int, int] | None:
    """What changes with every line; None without a manifest."""
    try:
        status = folder.manifest.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
