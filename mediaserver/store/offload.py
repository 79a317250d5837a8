"""Moves sealed segments to object storage, oldest first: put, read back, written down, then removed here."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import select

from mediaserver.ids import RecordingId, TrackId
from mediaserver.store.database import Database, DatabaseFailed
from mediaserver.store.objects import Erased, Objects, StorageFailed, object_key
from mediaserver.store.recordings import Recordings
from mediaserver.store.schema import deletions, recordings, segments

LOOK_SECONDS: Final = 15.0
RETRY_SECONDS: Final = 60.0
"""After the storage or a disk failed: segments stay here meanwhile and nothing is lost."""
BATCH: Final = 32

_log = structlog.stdlib.get_logger(__name__)


@dataclass(slots=True)
class Offload:
    """One at a time, in a thread, so that a live session loses neither processor nor link to it."""

    database: Database
    recordings: Recordings
    objects: Objects
    roots: tuple[Path, ...]
    counts: Counter[str] = field(default_factory=Counter)
    """``moved``, ``bytes``, ``failed``, ``missing``."""
    _missing: set[tuple[str, str, int]] = field(default_factory=set)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                moved = await self.step()
                await asyncio.sleep(0 if moved else LOOK_SECONDS)
            except (StorageFailed, DatabaseFailed, OSError) as error:
                self.counts["failed"] += 1
                # What the system says of a file has its path in it.
                reason = type(error).__name__ if isinstance(error, OSError) else error.message
                _log.warning("segments stay here: they could not be moved", reason=reason)
                await asyncio.sleep(RETRY_SECONDS)

    async def step(self) -> int:
        """Moves some that lie here; how many. Raises ``StorageFailed``, ``DatabaseFailed``, ``OSError``."""
        query = (
            select(segments.c.recording, segments.c.track, segments.c.number, segments.c.sha256)
            .join_from(segments, recordings, segments.c.recording == recordings.c.id)
            .where(
                segments.c.location != "object",
                recordings.c.deleted_at.is_(None),
                recordings.c.id.not_in(
                    select(deletions.c.recording).where(deletions.c.confirmed_at.is_not(None))
                ),
            )
            .order_by(recordings.c.started_at, segments.c.number)
            .limit(BATCH + len(self._missing))
        )
        rows = await self.database.read(lambda connection: connection.execute(query).all())
        moved = 0
        for row in rows:
            if (row.recording, row.track, row.number) in self._missing:
                continue
            with contextlib.suppress(Erased, FileNotFoundError):  # its deletion was confirmed meanwhile
                moved += await self._move(
                    RecordingId(row.recording), TrackId(row.track), row.number, row.sha256
                )
        return moved

    async def _move(self, recording: RecordingId, track: TrackId, number: int, sha256: bytes) -> int:
        file = self._find(recording, track, number)
        if file is None:
            self.counts["missing"] += 1
            self._missing.add((recording, track, number))
            return 0
        await asyncio.to_thread(self.objects.put, object_key(recording, file, file.parents[2]), file, sha256)
        folder = self._home(recording)
        # The wrapped key and the manifest follow each segment: the store has all that a recording needs.
        for beside in (folder / "key", folder / "manifest"):
            if beside.exists():
                content = beside.read_bytes()  # a manifest may grow meanwhile
                key, sha256 = object_key(recording, beside, folder), hashlib.sha256(content).digest()
                await asyncio.to_thread(self.objects.put, key, content, sha256)
        await self.recordings.moved(recording, track, number, "object")
        self.counts["bytes"] += file.stat().st_size
        file.unlink()
        self.counts["moved"] += 1
        return 1

    def _home(self, recording: RecordingId) -> Path:
        """Where key and manifest lie; segments may lie elsewhere."""
        folders = [root / recording for root in self.roots]
        return next((folder for folder in folders if (folder / "key").exists()), folders[0])

    def _find(self, recording: RecordingId, track: TrackId, number: int) -> Path | None:
        for root in self.roots:
            for file in (root / recording / "segments" / track).glob(f"{number:06d}.*.enc"):
                return file
        return None
