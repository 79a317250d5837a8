"""Tells a room that its recording was interrupted: where all had left, or the server began anew, the
operation may go on unrecorded, and nobody would see more than that a mark is missing.

It is asked for when somebody enters a room that was empty, and stands until a recording is started, somebody
says that none is wanted, consent is taken back or the procedure is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Protocol

from mediaserver.events import RecordingInterrupted, RecordingInterruption
from mediaserver.ids import ProcedureId, RoomId
from mediaserver.recording.leftovers import answered
from mediaserver.room import Room
from mediaserver.tasks import end_tasks


class Register(Protocol):
    """What is known of recordings that ended."""

    async def of(self, room: RoomId) -> RecordingInterruption | None:
        """The interruption of the room's last recording, if it should go on. Raises ``DatabaseFailed``."""


class Watch:
    """Over all rooms of a server. Calls are made on its event loop."""

    def __init__(self, register: Register | None, tell: Callable[[Room, RecordingInterrupted], None]) -> None:
        self._register = register
        self._tell = tell
        self._entered: dict[RoomId, Room] = {}
        self._asking: set[asyncio.Task[None]] = set()
        self._settled = 0
        """How often anything was decided: an answer from before does not count."""

    def follow(self, room: Room) -> None:
        """The room may have changed. Cheap where it did not empty or fill."""
        if self._register is None:
            return
        if room.empty:
            self._entered.pop(room.id, None)
            room.interruption = None
        elif self._entered.get(room.id) is not room:
            self._entered[room.id] = room
            task = asyncio.get_running_loop().create_task(self._ask(room, self._register))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    def settle(self, room: Room | None) -> RecordingInterruption | None:
        """A recording begins, or is not wanted: what was interrupted, if anything."""
        self._settled += 1
        if room is None or room.interruption is None:
            return None
        told, room.interruption = room.interruption, None
        self._tell(room, RecordingInterrupted(None))
        return told

    def revoke(self, procedure: ProcedureId) -> None:
        """It is not to be recorded any more."""
        self._settled += 1
        for room in self._entered.values():
            if room.interruption is not None and room.interruption.procedure == procedure:
                self.settle(room)

    async def end(self) -> None:
        """Asks no more. Idempotent."""
        await end_tasks(self._asking)

    async def _ask(self, room: Room, register: Register) -> None:
        while True:
            settled = self._settled
            found = await answered(partial(register.of, room.id))
            if settled == self._settled:
                break
        if found is not None and self._entered.get(room.id) is room and room.recording is None:
            room.interruption = found
            self._tell(room, RecordingInterrupted(found))
