"""What earlier recorders left without an end: found by the server, which knows what was decided since.

A recorder seals nothing of it before it is told to, and is told the state that each recording ends in: a
consent that was taken back while no recorder ran marks what it was given for, as it does while one runs.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, Literal, Protocol, TypeAlias, TypeVar

import structlog

from mediaserver.ids import ProcedureId, RecordingId
from mediaserver.recording.folder import folders
from mediaserver.recording.manifest import Manifest
from mediaserver.recording.process import Message
from mediaserver.store.consents import Purpose
from mediaserver.store.database import DatabaseFailed
from mediaserver.tasks import end_tasks
from mediaserver.vault import Vault

RETRY_SECONDS: Final = 1.0
"""After which a database that failed is asked again: until it answers, nothing is sealed."""
ORDER_RECORDINGS: Final = 256
"""In one message, which a recorder takes up to 64 KiB."""

Ended: TypeAlias = Literal["sealed", "withdrawn"]

T = TypeVar("T")

_log = structlog.stdlib.get_logger(__name__)


class Decisions(Protocol):
    """What was decided about purposes."""

    async def revoked_since(self, procedure: ProcedureId, purpose: Purpose, since: datetime) -> bool:
        """Whether it was refused or taken back since then, or is so now. Raises ``DatabaseFailed``."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """A recording without an end, or whose end nobody was told of."""

    recording: RecordingId
    procedure: ProcedureId | None
    """None where its recorder ended before it was written down: then nothing else was."""
    begun: datetime
    withdrawn: bool
    """Its consent was taken back while it was taken."""


def leftovers(
    roots: Sequence[Path], vault: Vault, finalised: Collection[RecordingId] | None = None
) -> Iterator[Leftover]:
    """All that lie there; one that cannot be read is logged and left.

    ``finalised``: whose end the audit has; None: no audit is kept. One of them without an end was cut, and is
    left: what a server would sign as its end now is not what was recorded.
    """
    for folder in folders(*roots):
        manifest = Manifest(folder, vault)
        known = finalised is None or folder.id in finalised
        try:
            if known and folder.manifest.exists() and manifest.ended():
                continue
            lines = manifest.lines()
            if known and any(line["type"] == "end" for line in lines):
                continue
            if known and finalised is not None:
                _log.error("recording cut: the audit has an end that it lacks", recording=folder.id)
                continue
            begin = next((line for line in lines if line["type"] == "begin"), {})
            begun = datetime.fromtimestamp(begin.get("unix_micros", 0) / 1_000_000, UTC)
            states = [line.get("state") for line in lines if line["type"] in ("stopped", "end")]
            yield Leftover(folder.id, begin.get("procedure"), begun, "withdrawn" in states)
        except (OSError, ValueError, TypeError) as error:
            _log.error("recording not recovered", recording=folder.id, reason=type(error).__name__)


@dataclass(slots=True)
class Recovery:
    """Has what is left sealed. Calls are made on the server's event loop."""

    roots: Sequence[Path]
    vault: Vault
    decisions: Decisions
    order: Callable[[Message], object]
    """Tells the recorder."""
    taken: Callable[[RecordingId], bool]
    """Whether this server takes it, or is about to end it."""
    finalised: Callable[[], Awaitable[Collection[RecordingId]]] | None = None
    """Asks the audit whose end it has. Raises ``DatabaseFailed``."""
    _left: dict[RecordingId, ProcedureId | None] = field(default_factory=dict)
    """What the recorder was told to seal, and has not yet."""
    _revoked: set[ProcedureId] = field(default_factory=set)
    """Heard of since the decisions began to be asked for."""
    _task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """There is a new recorder, which knows of nothing."""
        if self._task is not None:
            self._task.cancel()
        self._task = asyncio.get_running_loop().create_task(self.run())

    async def end(self) -> None:
        """What was not ordered yet is for the next start. Idempotent."""
        task, self._task = self._task, None
        await end_tasks([] if task is None else [task])

    async def run(self) -> None:
        """Finds what is left, asks what was decided, orders."""
        self._left.clear()
        self._revoked.clear()
        # In a thread: disks and manifests may be large, and a disk may stall.
        ended = None if self.finalised is None else await answered(self.finalised)
        found = await asyncio.to_thread(lambda: list(leftovers(self.roots, self.vault, ended)))
        for first in range(0, len(found), ORDER_RECORDINGS):
            states = [(one, await self._state(one)) for one in found[first : first + ORDER_RECORDINGS]]
            # From here to the order nothing is waited for: no decision is missed between.
            self._left |= {one.recording: one.procedure for one, _ in states}
            self._order({
                one.recording: "withdrawn" if one.procedure in self._revoked else state
                for one, state in states
            })  # fmt: skip

    def revoke(self, procedure: ProcedureId) -> None:
        """Consent to recording was taken back: what is not sealed yet is marked."""
        self._revoked.add(procedure)
        self._order({one: "withdrawn" for one, of in self._left.items() if of == procedure})

    def sealed(self, recording: RecordingId) -> None:
        """It has an end."""
        self._left.pop(recording, None)

    def _order(self, states: dict[RecordingId, Ended]) -> None:
        untaken = {recording: state for recording, state in states.items() if not self.taken(recording)}
        if untaken:
            self.order({"do": "recover", "states": untaken})

    async def _state(self, one: Leftover) -> Ended:
        if one.withdrawn or one.procedure is None:
            return "withdrawn" if one.withdrawn else "sealed"
        asked = partial(self.decisions.revoked_since, one.procedure, Purpose.RECORDING, one.begun)
        return "withdrawn" if await answered(asked) else "sealed"


async def answered(asked: Callable[[], Awaitable[T]]) -> T:
    """The database's answer, once it gives one."""
    while True:
        with contextlib.suppress(DatabaseFailed):
            return await asked()
        await asyncio.sleep(RETRY_SECONDS)
