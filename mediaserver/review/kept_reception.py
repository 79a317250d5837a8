"""What each viewer got, gathered from the operators' history and sealed with its recording: the history
forgets, and the recording has it as long as it is kept itself."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import structlog
from msgspec import Struct

from mediaserver.errors import LoupeError
from mediaserver.ids import RecordingId
from mediaserver.quality_history import query
from mediaserver.quality_history.database import Database
from mediaserver.quality_history.store import THIN_STEP_MS
from mediaserver.recording.annex import Annex
from mediaserver.recording.folder import RecordingFolder, folders
from mediaserver.recording.manifest import Manifest
from mediaserver.recording.reader import Recording
from mediaserver.review.reception import Reception, Viewer
from mediaserver.vault import Vault

MAX_SAMPLES: Final = 500_000
"""Read for one answer: three hours of forty participants, every second."""
PAGE: Final = 500
LOOK_SECONDS: Final = 10.0
SETTLED_SECONDS: Final = 30.0
"""After a recording's end the history has been written for all of it."""

_log = structlog.stdlib.get_logger(__name__)


class ReceptionReport(Struct, frozen=True, kw_only=True):
    """Participants are ids and roles."""

    viewers: list[Viewer]
    known_from: float | None
    """Second of the recording from which on the history holds anything; None: it holds nothing."""
    complete: bool
    """False: there were more viewers, or more seconds, than are read for one answer."""


async def gather(database: Database, room: str, from_ms: int, to_ms: int) -> ReceptionReport:
    """From the history, of a room between two moments in Unix milliseconds. Raises ``HistoryUnavailable``."""
    reception, taken, cursor = Reception(from_ms, to_ms), 0, None
    begin_ms = from_ms - from_ms % THIN_STEP_MS  # a thinned sample stands at the beginning of its ten seconds
    while taken < MAX_SAMPLES:
        page = await query.samples(database, room, begin_ms, to_ms, limit=PAGE, cursor=cursor)
        await asyncio.to_thread(reception.add, page.samples)
        taken, cursor = taken + len(page.samples), page.next
        if cursor is None:
            break
    return ReceptionReport(
        viewers=await asyncio.to_thread(reception.viewers),
        known_from=reception.known_from,
        complete=cursor is None and not reception.left_out,
    )


def sealed(folder: RecordingFolder, vault: Vault) -> ReceptionReport | None:
    """What was sealed with the recording; None: nothing (yet). Raises ``NotAuthentic``, ``OSError``."""
    content = Annex(folder).open(folder.open_key(vault))
    return None if content is None else msgspec.json.decode(content, type=ReceptionReport)


@dataclass(slots=True)
class KeptReception:
    """Seals what the history knows of each recording soon after its end, whatever was between: a crash, a
    restart. Where the history knows nothing any more, nothing is sealed."""

    roots: tuple[Path, ...]
    vault: Vault
    history: Database
    _done: set[RecordingId] = field(default_factory=set)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.step()
            await asyncio.sleep(LOOK_SECONDS)

    async def step(self) -> int:
        """How many were sealed."""
        count = 0
        for folder in await asyncio.to_thread(lambda: list(folders(*self.roots))):
            if folder.id in self._done:
                continue
            try:
                count += await self._take(folder)
            except (LoupeError, OSError, KeyError, ValueError) as error:
                # One that cannot be read must not keep the others waiting; the next start looks again.
                self._done.add(folder.id)
                _log.warning("reception not sealed", recording=folder.id, reason=type(error).__name__)
        return count

    async def _take(self, folder: RecordingFolder) -> bool:
        if Annex(folder).line.exists():
            self._done.add(folder.id)
            return False
        recording = await asyncio.to_thread(self._ended, folder)
        if recording is None:
            return False
        from_ms = round(recording.started_at.timestamp() * 1000)
        to_ms = from_ms + round(recording.duration_seconds * 1000)
        if time.time() * 1000 < to_ms + SETTLED_SECONDS * 1000:
            return False
        report = await gather(self.history, recording.room, from_ms, to_ms)
        self._done.add(folder.id)
        if report.known_from is None:
            return False
        await asyncio.to_thread(self._seal, folder, report)
        return True

    def _ended(self, folder: RecordingFolder) -> Recording | None:
        if not Manifest(folder, self.vault).ended():
            return None
        return Recording.open(folder.path, self.vault, folder.elsewhere)

    def _seal(self, folder: RecordingFolder, report: ReceptionReport) -> None:
        head = Manifest(folder, self.vault).head()
        Annex(folder).seal(msgspec.json.encode(report), head, folder.open_key(self.vault), self.vault)
