"""Exports in the background: one process at a time, with progress, rate, time left and cancel.

Files lie sealed in ``DATA/exports/<export id>/`` under keys that only this process holds: when it ends they
are unreadable, and the next start clears them away.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec

from mediaserver.config import Settings, Storage
from mediaserver.errors import LimitReached
from mediaserver.ids import ProcedureId, Redacted
from mediaserver.recording.folder import RecordingFolder
from mediaserver.review.errors import CannotExport, NoArchive, NotAccepted
from mediaserver.review.export.archive import Archive
from mediaserver.review.export.order import Order
from mediaserver.review.export.process import working
from mediaserver.review.export.run import MAX_PART_BYTES
from mediaserver.review.export.sending import (
    MAX_OBJECT_BYTES,
    Consignment,
    Sending,
    SendingReport,
    Stored,
)
from mediaserver.review.export.worker import Failed, Finished, Progress, Report, Work, context
from mediaserver.review.purposes import Use
from mediaserver.store.recordings import UnknownRecording
from mediaserver.tasks import end_tasks
from mediaserver.vault import ChunkReader, DataKey, FileBytes

MAX_JOBS: Final = 20
"""Kept at once, done ones included."""
KEPT_SECONDS: Final = 24 * 3600
ID_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class Waiting:
    """Another export runs."""


@dataclass(frozen=True, slots=True)
class Running:
    """Seconds of film done, in all, and done per second of time."""

    done_seconds: float
    all_seconds: float
    rate: float

    @property
    def left_seconds(self) -> float | None:
        """None before there is a rate."""
        return None if self.rate <= 0 else (self.all_seconds - self.done_seconds) / self.rate


@dataclass(frozen=True, slots=True)
class Cancelled:
    """By a person or the end of the server."""


State: TypeAlias = Waiting | Running | Finished | Failed | Cancelled


@dataclass(slots=True)
class Job:
    """One export; ``state`` says where it is."""

    id: str
    recording: str
    order: Order
    owner: str
    procedure: ProcedureId | None
    folder: Path
    key: Redacted[DataKey]
    ends_at: float
    state: State = field(default_factory=Waiting)
    process: asyncio.subprocess.Process | None = None
    task: asyncio.Task[None] | None = None
    sending: SendingReport | None = None
    """To the archive; None: it was not asked for."""
    sending_task: asyncio.Task[SendingReport] | None = None

    @property
    def objects(self) -> list[str]:
        """The DICOM objects that were made."""
        files = self.state.files if isinstance(self.state, Finished) else []
        return [name for name in files if name.endswith(".dcm")]

    def open(self, name: str) -> tuple[FileBytes, ChunkReader]:
        """A file that was made; whoever opens closes. Raises ``UnknownRecording``."""
        if not isinstance(self.state, Finished) or name not in self.state.files:
            raise UnknownRecording
        source = FileBytes(self.folder / f"{name}.enc")
        return source, ChunkReader(source, self.key.reveal(), context(name))


class Jobs:
    """All exports of this process."""

    def __init__(self, settings: Settings, *, now: Callable[[], float]) -> None:
        self._settings = settings
        self._folder = settings.data.folder / "exports"
        self._now = now
        self._jobs: dict[str, Job] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Semaphore(1)
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(
        self,
        recording: str,
        source: RecordingFolder,
        order: Order,
        owner: str,
        procedure: ProcedureId | None = None,
    ) -> Job:
        """Queues it. Raises ``LimitReached``."""
        self._forget_old()
        if len(self._jobs) >= MAX_JOBS:
            raise LimitReached(f"{MAX_JOBS} exports are kept already; remove one")
        id = secrets.token_urlsafe(ID_BYTES)
        folder = self._folder / f"x{id}"
        folder.mkdir(mode=0o700, parents=True)
        job = Job(
            id=id, recording=recording, order=order, owner=owner, procedure=procedure, folder=folder,
            key=Redacted(DataKey(secrets.token_bytes(32))), ends_at=self._now() + KEPT_SECONDS,
        )  # fmt: skip
        self._jobs[id] = job
        job.task = asyncio.get_running_loop().create_task(self._run(job, source))
        return job

    def get(self, id: str) -> Job:
        """Raises ``UnknownRecording``."""
        self._forget_old()
        job = self._jobs.get(id)
        if job is None:
            raise UnknownRecording("no such export")
        return job

    def of(self, recording: str) -> list[Job]:
        """Of one recording, oldest first."""
        self._forget_old()
        return [job for job in self._jobs.values() if job.recording == recording]

    async def remove(self, id: str) -> None:
        """Cancels it if it is not done; its files are gone. Raises ``UnknownRecording``."""
        job = self.get(id)
        del self._jobs[id]
        ending = asyncio.get_running_loop().create_task(self._end(job))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
        await asyncio.shield(ending)  # whoever asked may be gone before the process is

    async def drop(self, recording: str) -> None:
        """Removes all of a recording, whatever they are at."""
        for job in self.of(recording):
            await self.remove(job.id)

    async def end_teaching(self, procedure: ProcedureId) -> None:
        """Removes what was copied of this procedure to teach with."""
        for job in list(self._jobs.values()):
            if job.order.use is Use.TEACHING and job.procedure == procedure:
                await self.remove(job.id)

    async def close(self) -> None:
        """Ends all. Idempotent."""
        jobs, self._jobs = list(self._jobs.values()), {}
        for job in jobs:
            await self._end(job)
        await asyncio.gather(*self._ending)
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _end(self, job: Job) -> None:
        await end_tasks([task for task in (job.task, job.sending_task) if task is not None])
        if not isinstance(job.state, Finished | Failed):
            job.state = Cancelled()
        shutil.rmtree(job.folder, ignore_errors=True)

    def _forget_old(self) -> None:
        now = self._now()
        for id, job in list(self._jobs.items()):
            if job.ends_at < now and isinstance(job.state, Finished | Failed | Cancelled):
                del self._jobs[id]
                shutil.rmtree(job.folder, ignore_errors=True)

    async def _run(self, job: Job, source: RecordingFolder) -> None:
        async with self._turn, working(msgspec.json.encode(self._work(job, source))) as process:
            job.process = process
            assert process.stdout is not None, "piped"
            began = self._now()
            async for line in process.stdout:
                report = msgspec.json.decode(line, type=Report)
                job.state = _state(report, self._now() - began)
            if not isinstance(job.state, Finished | Failed):
                job.state = Failed(
                    code=CannotExport.code, message="the export process ended before it was done"
                )

    def _work(self, job: Job, source: RecordingFolder) -> Work:
        return Work(
            order=job.order,
            recording=str(source.path),
            elsewhere=[str(place) for place in source.elsewhere],
            data_folder=str(self._settings.data.folder),
            master_key_file=_text(self._settings.recording.master_key_file),
            storage=_revealed(self._settings.storage),
            folder=str(job.folder),
            key=job.key.reveal().raw.hex(),
            max_part_bytes=MAX_PART_BYTES if self.archive is None else MAX_OBJECT_BYTES,
        )

    # ---- Archive ----

    @property
    def archive(self) -> str | None:
        """The title of the archive that objects may be sent to."""
        archive = self._settings.archive
        return None if archive.host is None else archive.title

    def send(self, id: str) -> Job:
        """Sends its DICOM objects to the archive, unless that is under way or done.

        Raises ``UnknownRecording``, ``NoArchive``; ``CannotExport`` for what has no DICOM objects (yet).
        """
        job, archive = self.get(id), self._settings.archive
        if archive.host is None:
            raise NoArchive
        if not job.objects:
            raise CannotExport("this export has no DICOM objects")
        if not isinstance(job.sending, Sending | Stored):
            job.sending = Sending()
            to = Archive(archive.title, archive.host, archive.port, archive.own_title)
            job.sending_task = asyncio.get_running_loop().create_task(self._send(job, to))
        return job

    async def _send(self, job: Job, to: Archive) -> SendingReport:
        """What became of it; who asks again once it failed begins another, and ``job`` tells of that."""
        key = job.key.reveal().raw.hex()
        work = Consignment(folder=str(job.folder), key=key, files=job.objects, archive=to)
        async with working(msgspec.json.encode(work), "send") as process:
            assert process.stdout is not None, "piped"
            last: SendingReport = Sending()
            async for line in process.stdout:
                last = job.sending = msgspec.json.decode(line, type=SendingReport)
            if isinstance(last, Sending):
                last = job.sending = Failed(code=NotAccepted.code, message="sending ended before it was done")
        return last


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _revealed(storage: Storage) -> dict[str, Any]:
    """As the worker reads it, its secret included: it goes through a pipe that nobody else reads."""
    given = storage.model_dump(exclude_none=True)
    if storage.secret_access_key is not None:
        given["secret_access_key"] = storage.secret_access_key.get_secret_value()
    return given


def _state(report: Report, elapsed: float) -> State:
    match report:
        case Progress(done_seconds=done, all_seconds=of):
            return Running(done, of, done / elapsed if elapsed > 0 else 0.0)
        case _:
            return report
