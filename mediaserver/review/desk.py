"""All that review needs, put together once: library, recordings, views, exports, the audit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, TypeVar

import structlog

from mediaserver.audit import Audit, Event
from mediaserver.ids import ProcedureId, RecordingId, RoomId
from mediaserver.policy import Role
from mediaserver.recording.folder import RecordingFolder
from mediaserver.recording.reader import Recording
from mediaserver.review.export.jobs import Jobs
from mediaserver.review.labels import labels
from mediaserver.review.opening import open_recording
from mediaserver.review.purposes import PatientsWill, Use, covered
from mediaserver.review.views import View, Views
from mediaserver.store.consents import Purpose
from mediaserver.store.expected import expected_of
from mediaserver.store.library import Entry, Library, Query
from mediaserver.store.objects import Objects
from mediaserver.store.recordings import UnknownRecording
from mediaserver.vault import Vault

SWEEP_SECONDS: Final = 60.0
"""What was watched, and a view that ran out, is in the audit so much later at most."""

T = TypeVar("T")

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Asker:
    """Whose recordings somebody may study."""

    role: Role
    room: RoomId | None
    """None: those of all rooms."""
    procedures: frozenset[str] | None = None
    """Of these alone; None: of all that the room served."""

    def may_see(self, entry: Entry) -> bool:
        """Whether it is there for them at all."""
        return self.room in (None, entry.room) and (
            self.procedures is None or entry.procedure in self.procedures
        )

    @property
    def elsewhere(self) -> bool:
        """They see what a patient's link to specialists shows."""
        return covered(Purpose.TREATMENT_LINK, Use.CARE, self.role)


@dataclass(slots=True)
class Desk:
    """Where recordings are studied."""

    library: Library
    roots: tuple[Path, ...]
    """Of all recordings, the usual one first."""
    vault: Vault
    objects: Objects | None
    """Where segments may have moved to."""
    audit: Audit
    jobs: Jobs
    views: Views[Any]
    will: PatientsWill
    reader: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "review"))
    """One thread decrypts for all: it is faster than any link, and no recording is shared by threads."""

    async def entry(self, id: str, asker: Asker) -> Entry:
        """A recording that the asker may see.

        Raises ``UnknownRecording``, alike for one that is not theirs; ``TreatmentLinkDeclined``.
        """
        found = await self.library.entry(id)
        if found is None or not asker.may_see(found):
            raise UnknownRecording
        await self.will.check(asker.role, Use.CARE, found.procedure)
        return found

    async def search(self, asker: Asker, query: Query) -> list[Entry]:
        """Those of the query that the asker may see, as ``Library.search``."""
        mine = replace(query, room=asker.room, procedures=asker.procedures, linked=asker.elsewhere)
        return await self.library.search(mine)

    async def open(self, id: str) -> Recording:
        """Its tracks and segments, checked against signatures, index and audit. Raises ``UnknownRecording``,
        ``NotAuthentic``."""
        folder = await self.folder(id)
        known = await self.library.database.read(lambda connection: expected_of(connection, folder.id))
        try:
            opened = await self.in_reader(open_recording, folder, self.vault, self.objects, known)
        except OSError:
            raise UnknownRecording("the recording's files are not here") from None
        if opened.altered is not None:
            _log.error("manifest altered", recording=id)
        return opened

    async def folder(self, id: str) -> RecordingFolder:
        """Where a recording lies. Raises ``UnknownRecording`` for what is no id."""
        try:
            return await self.in_reader(RecordingFolder.find, self.roots, RecordingId(id))
        except ValueError:
            raise UnknownRecording from None

    def labels(self, recording: Recording) -> dict[str, str]:
        """What its sources were called."""
        return labels(recording, self.vault)

    async def in_reader(self, work: Callable[..., T], *arguments: Any) -> T:
        """Runs it on the thread that owns open recordings."""
        return await asyncio.get_running_loop().run_in_executor(self.reader, work, *arguments)

    def end_view(self, view: View[Any]) -> None:
        """Into the audit: who watched what of which track."""
        self._tell(Event.VIEW_STOP, view, view.spans())

    def tell_watched(self) -> None:
        """Into the audit what was seen since the last time: a kill of the server takes back only the rest."""
        for view in self.views.all():
            if spans := view.take_fresh():
                self._tell(Event.VIEW_CONTINUE, view, spans)

    def _tell(self, event: Event, view: View[Any], spans: dict[str, str]) -> None:
        self.audit.append(
            event, actor=view.subject, room=view.room, procedure=view.recording.procedure,
            subject=view.recording.id, details={"view": view.id, **spans},
        )  # fmt: skip

    def end_expired(self) -> None:
        """Views whose time is over."""
        for view in self.views.expired():
            self.end_view(view)

    async def run(self) -> None:
        """Tells what is being watched, and ends views soon after their time, whether or not anybody opens
        another; until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.end_expired()
            self.tell_watched()

    async def follow_consents(self) -> None:
        """Ends what a patient's decision no longer covers, as it is taken; until cancelled."""
        async for revoked in self.will.consents.revoked():
            if self.will.withdrawn(revoked):
                await self._end_uncovered(revoked.purpose, revoked.procedure)

    async def _end_uncovered(self, purpose: Purpose, procedure: ProcedureId) -> None:
        for view in self.views.all():
            if covered(purpose, view.use, view.role) and view.recording.procedure == procedure:
                self.views.close(view.secret)
                self.end_view(view)
        if purpose is Purpose.TEACHING:
            await self.jobs.end_teaching(procedure)

    async def close(self) -> None:
        """Ends exports and views."""
        self.end_expired()
        for view in self.views.all():
            self.views.close(view.secret)
            self.end_view(view)
        await self.jobs.close()
        self.reader.shutdown(wait=False, cancel_futures=True)
