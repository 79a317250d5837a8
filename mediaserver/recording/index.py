"""The database's rows about recordings, made from their folders: the folder is the truth, the rows find
it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from mediaserver.errors import LoupeError
from mediaserver.ids import ProcedureId, RecordingId, RoomId, TrackId
from mediaserver.recording.folder import RecordingFolder
from mediaserver.recording.manifest import Line, Manifest
from mediaserver.recording.reader import Recording
from mediaserver.store.recordings import Recordings as Rows
from mediaserver.store.recordings import SegmentRow
from mediaserver.store.schema import now
from mediaserver.vault import Vault

MAX_WAITING: Final = 1_024
"""Recordings whose rows wait to be written; what finds no room is indexed by its next segment."""

_log = structlog.stdlib.get_logger(__name__)


class Index:
    """Writes in its own task: a slow or failing database never holds a recording up."""

    def __init__(self, rows: Rows, vault: Vault, root: Path) -> None:
        self._rows = rows
        self._vault = vault
        self._root = root
        self._changed: asyncio.Queue[RecordingId] = asyncio.Queue(MAX_WAITING)

    async def begin(
        self, id: RecordingId, procedure: ProcedureId, room: RoomId, started_at: datetime
    ) -> None:
        """Before anything is recorded. Raises ``UnknownProcedure``, ``QuotaReached``."""
        await self._rows.begin(id, procedure, room, started_at)

    def changed(self, id: RecordingId) -> None:
        """The folder says more than the rows."""
        if not self._changed.full():
            self._changed.put_nowait(id)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            id = await self._changed.get()
            try:
                await self.fill(id)
            except (LoupeError, OSError) as error:
                _log.warning("recording not indexed", recording=id, reason=type(error).__name__)

    async def fill(self, id: RecordingId) -> None:
        """One recording's rows from its folder. Raises ``LoupeError``, ``OSError``."""
        recording, lines = await asyncio.to_thread(self._read, id)
        await self._rows.begin(id, recording.procedure, recording.room, recording.started_at)
        await self._rows.add(id, [_row(line) for line in lines if line["type"] == "segment"])
        if recording.state in ("sealed", "withdrawn"):
            await self._rows.change(id, recording.state, now())

    def _read(self, id: RecordingId) -> tuple[Recording, list[Line]]:
        folder = RecordingFolder.of(self._root, id)
        return Recording.open(folder.path, self._vault), Manifest(folder, self._vault).lines()


def started(unix_micros: int) -> datetime:
    """As the database keeps it."""
    return datetime.fromtimestamp(unix_micros / 1_000_000, UTC)


def _row(line: Line) -> SegmentRow:
    return SegmentRow(
        track=TrackId(line["track"]),
        number=line["number"],
        start_seconds=line["start"],
        duration_seconds=line["duration"],
        media_type=line["media_type"],
        plain_bytes=line["size"],
        encrypted_bytes=line["sealed_size"],
        sha256=bytes.fromhex(line["sha256"]),
    )
