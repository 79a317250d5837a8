"""Moves sealed segments to object storage, oldest first: put, read back, written down, then removed here.

What fails of one segment holds up no other. Nothing touches a disk or the store but in a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import structlog
from sqlalchemy import Row, Select, select

from mediaserver.ids import RecordingId, TrackId
from mediaserver.recording.manifest import sha256_of
from mediaserver.store.database import Database, DatabaseFailed
from mediaserver.store.objects import Erased, Objects, StorageFailed, object_key
from mediaserver.store.recordings import Recordings
from mediaserver.store.schema import deletions, recordings, segments

LOOK_SECONDS: Final = 15.0
RETRY_SECONDS: Final = 60.0
"""After the storage or a disk failed: segments stay here meanwhile and nothing is lost."""
BATCH: Final = 32

_log = structlog.stdlib.get_logger(__name__)


class _Segment(NamedTuple):
    recording: RecordingId
    track: TrackId
    number: int
    sha256: bytes


@dataclass(slots=True)
class Offload:
    """One at a time, in a thread, so that a live session loses neither processor nor link to it."""

    database: Database
    recordings: Recordings
    objects: Objects
    roots: tuple[Path, ...]
    counts: Counter[str] = field(default_factory=Counter)
    """``moved``, ``bytes``, ``failed``, ``missing``, ``damaged``."""
    _aside: set[_Segment] = field(default_factory=set)
    """Missing here, or not what was sealed: not tried again before the next start."""
    _swept: bool = False
    """Nothing lies here any more of what a former attempt moved."""
    _kept: dict[RecordingId, int] = field(default_factory=dict)
    """Of ended recordings, how long the manifest is that the store has."""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                if not self._swept:
                    await self.sweep()
                moved = await self.step()
                if not moved:
                    await self.follow()
                await asyncio.sleep(0 if moved else LOOK_SECONDS)
            except (StorageFailed, DatabaseFailed, OSError) as error:
                self.counts["failed"] += 1
                self._swept = False
                # What the system says of a file has its path in it.
                reason = type(error).__name__ if isinstance(error, OSError) else error.message
                _log.warning("segments stay here: they could not be moved", reason=reason)
                await asyncio.sleep(RETRY_SECONDS)

    async def step(self) -> int:
        """Moves some that lie here; how many. Raises ``StorageFailed``, ``DatabaseFailed``, ``OSError``."""
        query = (
            _standing(segments.c.location != "object")
            .order_by(recordings.c.started_at, segments.c.number)
            .limit(BATCH + len(self._aside))
        )
        moved = 0
        failure: OSError | None = None
        for segment in await self._segments(query):
            if segment in self._aside:
                continue
            try:
                with contextlib.suppress(Erased, FileNotFoundError):  # its deletion was confirmed meanwhile
                    moved += await self._move(segment)
            except OSError as error:  # of this file: others may be read
                failure = error
        if failure is not None and not moved:
            raise failure
        return moved

    async def sweep(self) -> None:
        """Removes here what was moved and written down when a crash came between. Raises as ``step``."""
        for segment in await self._segments(_standing(segments.c.location == "object")):
            file = await asyncio.to_thread(self._find, segment)
            if file is not None:
                await asyncio.to_thread(self._remove_moved, segment, file)
        self._swept = True

    async def follow(self) -> None:
        """Brings what came to ended recordings behind their last segment: the end of the manifest, annexes.
        Raises as ``step``."""
        ended = recordings.c.state.in_(("sealed", "withdrawn"))
        query = (
            _standing(segments.c.location == "object", ended).with_only_columns(recordings.c.id).distinct()
        )
        rows = await self.database.read(lambda connection: connection.execute(query).all())
        for recording in [RecordingId(row.id) for row in rows]:
            with contextlib.suppress(Erased, FileNotFoundError):
                await asyncio.to_thread(self._follow, recording)

    async def _segments(self, query: Select[Any]) -> list[_Segment]:
        rows = await self.database.read(lambda connection: connection.execute(query).all())
        return [_segment(row) for row in rows]

    async def _move(self, segment: _Segment) -> int:
        file = await asyncio.to_thread(self._find, segment)
        if file is None:
            self._set_aside(segment, "missing")
            return 0
        if await asyncio.to_thread(sha256_of, file) != segment.sha256:
            self._set_aside(segment, "damaged")
            return 0
        size = await asyncio.to_thread(self._put, segment, file)
        await self.recordings.moved(segment.recording, segment.track, segment.number, "object")
        await asyncio.to_thread(file.unlink)
        self.counts["bytes"] += size
        self.counts["moved"] += 1
        return 1

    def _set_aside(self, segment: _Segment, what: str) -> None:
        self.counts[what] += 1
        self._aside.add(segment)
        _log.error(
            "segment not moved", what=what, recording=segment.recording, track=segment.track,
            number=segment.number,
        )  # fmt: skip

    # ---- In a thread ----

    def _put(self, segment: _Segment, file: Path) -> int:
        key = object_key(segment.recording, file, file.parents[2])
        self.objects.put(key, file, segment.sha256)
        # The wrapped key and the manifest follow each segment: the store has all that a recording needs.
        self._put_beside(segment.recording, self._beside(segment.recording))
        return file.stat().st_size

    def _follow(self, recording: RecordingId) -> None:
        folder = self._home(recording)
        size = (folder / "manifest").stat().st_size
        if self._kept.get(recording) == size:
            return
        beside = self._beside(recording)
        changed = [file for file in beside if not self._has(object_key(recording, file, folder), file)]
        self._put_beside(recording, changed)
        self._kept[recording] = size

    def _has(self, key: str, file: Path) -> bool:
        """A manifest only grows, and the others are written once: by its length it is the same."""
        try:
            return self.objects.size(key) == file.stat().st_size
        except StorageFailed:  # most often it is not there yet; what else it is the put tells
            return False

    def _put_beside(self, recording: RecordingId, files: list[Path]) -> None:
        folder = self._home(recording)
        for file in files:
            content = file.read_bytes()  # a manifest may grow meanwhile
            key, sha256 = object_key(recording, file, folder), hashlib.sha256(content).digest()
            self.objects.put(key, content, sha256)

    def _beside(self, recording: RecordingId) -> list[Path]:
        """Key, manifest and annexes, as far as they are there."""
        folder = self._home(recording)
        found = [folder / "key", folder / "manifest", *sorted(folder.glob("*.enc"))]
        return [file for file in found if file.exists()]

    def _remove_moved(self, segment: _Segment, file: Path) -> None:
        key = object_key(segment.recording, file, file.parents[2])
        if self.objects.sha256(key) == segment.sha256:
            file.unlink(missing_ok=True)

    def _home(self, recording: RecordingId) -> Path:
        """Where key and manifest lie; segments may lie elsewhere."""
        folders = [root / recording for root in self.roots]
        return next((folder for folder in folders if (folder / "key").exists()), folders[0])

    def _find(self, segment: _Segment) -> Path | None:
        for root in self.roots:
            folder = root / segment.recording / "segments" / segment.track
            for file in folder.glob(f"{segment.number:06d}.*.enc"):
                return file
        return None


def _standing(*conditions: Any) -> Select[Any]:
    """Segments of recordings that nobody decided to delete."""
    confirmed = select(deletions.c.recording).where(deletions.c.confirmed_at.is_not(None))
    return (
        select(segments.c.recording, segments.c.track, segments.c.number, segments.c.sha256)
        .join_from(segments, recordings, segments.c.recording == recordings.c.id)
        .where(*conditions, recordings.c.deleted_at.is_(None), recordings.c.id.not_in(confirmed))
    )


def _segment(row: Row[Any]) -> _Segment:
    return _Segment(RecordingId(row.recording), TrackId(row.track), row.number, row.sha256)
