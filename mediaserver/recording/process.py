"""The recorder process as the server sees it: started, told, listened to, and started again when it ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import structlog

MAX_MESSAGE_BYTES: Final = 256 * 1024
KILL_SECONDS: Final = 5.0
"""How long a recorder that was killed is waited for."""
FIRST_PAUSE_SECONDS: Final = 0.02
"""Before a recorder that ended is started again; doubled each time up to the longest."""
LONGEST_PAUSE_SECONDS: Final = 5.0
STEADY_SECONDS: Final = 10.0
"""A recorder that ran this long ended by accident, not by nature."""

Message = dict[str, Any]

_log = structlog.stdlib.get_logger(__name__)


class RecorderProcess:
    """One recorder after another. ``messages`` runs them; ``send`` reaches the present one."""

    def __init__(self, arguments: Sequence[str]) -> None:
        """``arguments`` of ``python -m mediaserver.recording record``."""
        self._command = [sys.executable, "-m", "mediaserver.recording", "record", *arguments]
        self._control: socket.socket | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._ending = False
        self.starts = 0
        """How often one was started."""

    @property
    def pid(self) -> int | None:
        """Of the present one."""
        return self._process.pid if self._process is not None else None

    def send(self, message: Message, descriptors: Sequence[int] = ()) -> bool:
        """False when there is no recorder to tell, or it does not listen: it is told anew when it starts
        again."""
        if self._control is None:
            return False
        try:
            socket.send_fds(self._control, [json.dumps(message).encode()], descriptors)
        except OSError:
            _log.warning("recorder does not listen")
            if self._process is not None:
                with contextlib.suppress(ProcessLookupError):
                    self._process.kill()
            return False
        return True

    async def messages(self) -> AsyncIterator[Message]:
        """What recorders tell; ``{"event": "up"}`` when one has been started, which knows nothing yet."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            begun = asyncio.get_running_loop().time()
            await self._start()
            yield {"event": "up"}
            async for message in self._received():
                yield message
            code = await self._over()
            if self._ending:
                return
            _log.error("recorder ended", code=code)
            yield {"event": "down"}
            steady = asyncio.get_running_loop().time() - begun > STEADY_SECONDS
            pause = FIRST_PAUSE_SECONDS if steady else min(pause * 2, LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(pause)

    async def end(self, seconds: float) -> None:
        """Lets the recorder end; ends it after so many seconds. Idempotent."""
        self._ending = True
        self.send({"do": "quit"})
        process = self._process
        if process is None:
            return
        try:
            await asyncio.wait_for(process.wait(), seconds)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            with contextlib.suppress(TimeoutError):  # one that hangs in a disk ends later
                await asyncio.wait_for(process.wait(), KILL_SECONDS)

    async def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            ours.setblocking(False)
            command = [*self._command, "--control", str(theirs.fileno())]
            self._process = await asyncio.create_subprocess_exec(
                *command,
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                # Ctrl-C in a terminal is the server's alone, which ends what it began.
                start_new_session=True,
            )
        self._control = ours
        self.starts += 1

    async def _received(self) -> AsyncIterator[Message]:
        """Until the recorder's end of the socket closes."""
        loop, control = asyncio.get_running_loop(), self._control
        assert control is not None  # started before
        while True:
            try:
                message = await loop.sock_recv(control, MAX_MESSAGE_BYTES)
            except OSError:
                return
            if not message:
                return
            yield json.loads(message)

    async def _over(self) -> int | None:
        control, self._control = self._control, None
        if control is not None:
            control.close()
        process, self._process = self._process, None
        return await process.wait() if process is not None else None
