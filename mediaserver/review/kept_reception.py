"""What each viewer got, gathered from the operators' history and sealed with its recording: the history
forgets, and the recording has it as long as it is kept itself."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
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
    content = Annex(folder, vault).open()
    return None if content is None else msgspec.json.decode(content, type=ReceptionReport)


@dataclass(slots=True)
class KeptReception:
    """Seals what the history knows of each recording soon after its end, and that it knows nothing where it
    does. What a crash kept from it, the next start finds."""

    roots: tuple[Path, ...]
    vault: Vault
    history: Database
    ended: asyncio.Queue[RecordingId]
    """Those that were sealed to their end since."""
    now: Callable[[], float] = time.monotonic
    """Any steady clock, in seconds."""
    _waiting: dict[RecordingId, float] = field(default_factory=dict)
    """And from when on the history has all of each."""

    async def run(self) -> None:
        """Until cancelled."""
        await self.find()
        while True:
            with contextlib.suppress(TimeoutError):
                timeout = LOOK_SECONDS if self._waiting else None
                self.hear(await asyncio.wait_for(self.ended.get(), timeout))
            await self.step()

    def hear(self, id: RecordingId) -> None:
        """It was sealed to its end at this moment."""
        self._waiting[id] = self.now() + SETTLED_SECONDS

    async def find(self) -> None:
        """Looks once at all that lie there for those that have ended without it. What wrote their history has
        ended too."""
        found = await asyncio.to_thread(lambda: list(self._left()))
        self._waiting |= dict.fromkeys(found, self.now())

    async def step(self) -> int:
        """How many were sealed."""
        count = 0
        for id in [id for id, settled in self._waiting.items() if settled <= self.now()]:
            try:
                await self._take(id)
            except (LoupeError, OSError, KeyError, ValueError) as error:
                # One that cannot be read must not keep the others waiting; the next start looks again.
                _log.warning("reception not sealed", recording=id, reason=type(error).__name__)
            else:
                count += 1
            del self._waiting[id]
        return count

    def _left(self) -> Iterator[RecordingId]:
        for folder in folders(*self.roots):
            # One that cannot be read is told of by whoever reads recordings.
            with contextlib.suppress(OSError):
                if Manifest(folder, self.vault).ended() and not Annex(folder, self.vault).settled():
                    yield folder.id

    async def _take(self, id: RecordingId) -> None:
        folder = await asyncio.to_thread(RecordingFolder.find, self.roots, id)
        recording = await asyncio.to_thread(Recording.open, folder.path, self.vault, folder.elsewhere)
        from_ms = round(recording.started_at.timestamp() * 1000)
        to_ms = from_ms + round(recording.duration_seconds * 1000)
        report = await gather(self.history, recording.room, from_ms, to_ms)
        content = None if report.known_from is None else msgspec.json.encode(report)
        await asyncio.to_thread(Annex(folder, self.vault).seal, content)
