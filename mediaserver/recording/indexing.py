"""Fills the store's index of recordings from their folders, which are the truth: at every start, and while
they grow. What is held, kept, deleted, counted and moved to object storage is found by this index.
"""

from __future__ import annotations

import asyncio
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

_log = structlog.stdlib.get_logger(__name__)


@dataclass(slots=True)
class Indexing:
    """Reads a manifest only when it has changed since."""

    roots: tuple[Path, ...]
    vault: Vault
    index: Recordings
    unreadable: int = 0
    """Folders that could not be read, or belong to no known procedure, as they were looked at last."""
    _seen: dict[str, tuple[int, int]] = field(default_factory=dict)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.step()
            except DatabaseFailed as error:
                _log.warning("recordings not indexed", reason=error.message)
            await asyncio.sleep(LOOK_SECONDS)

    async def step(self) -> int:
        """Takes in what has changed; how many recordings. Raises ``DatabaseFailed``."""
        changed, self.unreadable = 0, 0
        for folder in await asyncio.to_thread(lambda: list(folders(*self.roots))):
            stamp = _stamp(folder)
            if stamp is None or self._seen.get(folder.id) == stamp:
                continue
            try:
                recording = await asyncio.to_thread(Recording.open, folder.path, self.vault, folder.elsewhere)
                await self._take(folder, recording)
            except (NotAuthentic, OSError, KeyError, ValueError, UnknownProcedure) as error:
                # One that cannot be read must not hide the others.
                self.unreadable += 1
                _log.warning("recording not indexed", recording=folder.id, reason=type(error).__name__)
            else:
                changed += 1
            self._seen[folder.id] = stamp
        return changed

    async def _take(self, folder: RecordingFolder, recording: Recording) -> None:
        id = recording.id
        await self.index.begin(id, recording.procedure, recording.room, recording.started_at)
        known = {(one.track, one.number) for one in await self.index.segments(id)}
        sealed = [
            _row(folder, one)
            for track in recording.tracks
            for one in recording.segments(track)
            if (one.track, one.number) not in known
        ]
        await self.index.add(id, sealed)
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
