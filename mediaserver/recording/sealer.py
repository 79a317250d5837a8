"""The sealing worker: a process of low priority that does one round after another, and the recorder's end
of it.

Orders go to its standard input and outcomes come from its standard output, one JSON object a line.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict
from errno import ENOSPC
from pathlib import Path
from typing import Any, BinaryIO, Final

from mediaserver.ids import RecordingId
from mediaserver.recording.folder import RecordingFolder
from mediaserver.recording.manifest import Manifest
from mediaserver.vault import Vault

NICENESS: Final = 10
"""As seen from the server."""
MAX_ATTEMPTS: Final = 3
"""A round that ended the worker so often is given up and told as failed; the others go on."""
ENDED: Final = "WorkerEnded"
"""The failure of a round that is given up."""


def serve(vault: Vault, orders: BinaryIO, outcomes: BinaryIO) -> None:
    """The worker's loop: until its orders end."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    for line in orders:
        order = json.loads(line)
        outcomes.write(json.dumps(_outcome(vault, order)).encode() + b"\n")
        outcomes.flush()


def _outcome(vault: Vault, order: dict[str, Any]) -> dict[str, Any]:
    # Here, so that the recorder, which starts this worker, starts without PyAV.
    from mediaserver.recording.seal import Order, seal

    answer = _answer(order)
    try:
        folder = RecordingFolder.find([Path(root) for root in order["roots"]], order["recording"])
        now = float("inf") if order["now"] is None else order["now"]
        outcome = seal(Order(folder, now, order["state"]), vault)
        end = None if order["state"] is None else Manifest(folder, vault).end()
    except Exception as error:  # whatever one recording raises must not end the rounds of the others
        # Nothing of what is on the disk is lost by it: the next round begins where this one did.
        answer["failure"] = type(error).__name__
        answer["full"] = isinstance(error, OSError) and error.errno == ENOSPC
        return answer
    answer["segments"] = [
        {
            name: line[name]
            for name in ("track", "number", "start", "duration", "sealed_size", "lost", "packets")
        }
        for line in outcome.segments
    ]
    answer |= {name: getattr(outcome, name) for name in ("damaged", "unreadable", "unsealable")}
    if order["state"] is not None:
        answer |= {name: outcome.begin.get(name) for name in ("room", "procedure")}
        answer["end"] = None if end is None else asdict(end)
    return answer


def _answer(order: dict[str, Any], failure: str | None = None) -> dict[str, Any]:
    return {"recording": order["recording"], "state": order["state"], "segments": [], "failure": failure}


class Sealer:
    """Starts the worker when there is work, starts it again when it ended, and keeps the rounds in order."""

    def __init__(self, arguments: Sequence[str]) -> None:
        """``arguments`` of ``python -m mediaserver.recording seal``."""
        self._command = [sys.executable, "-m", "mediaserver.recording", "seal", *arguments]
        self._waiting: deque[dict[str, Any]] = deque()
        self._attempts = 0
        self._worker: subprocess.Popen[bytes] | None = None
        self._received = b""
        self._busy = False

    def another(self) -> Sealer:
        """Like this one, with a worker of its own."""
        made = Sealer(())
        made._command = self._command
        return made

    def order(
        self, roots: Sequence[Path], recording: RecordingId, *, now: float | None, state: str | None
    ) -> None:
        """A round; ``now`` in seconds on the recording's axis, ``None`` when nothing will follow."""
        wanted = {
            "roots": [str(root) for root in roots],
            "recording": recording,
            "now": now,
            "state": state,
        }
        # A round that has not begun is overtaken by a later one over the same recording.
        kept = [
            o for i, o in enumerate(self._waiting) if o["recording"] != recording or (i == 0 and self._busy)
        ]
        self._waiting = deque([*kept, wanted])
        self._begin()

    @property
    def waiting(self) -> list[RecordingId]:
        """Of the rounds that are not done, the present one first."""
        return [order["recording"] for order in self._waiting]

    @property
    def idle(self) -> bool:
        """Nothing waits."""
        return not self._waiting

    def outcomes(self) -> list[dict[str, Any]]:
        """What was done since the last call. Never blocks."""
        worker = self._worker
        if worker is None or worker.stdout is None:
            return []
        given_up: list[dict[str, Any]] = []
        while True:
            try:
                received = os.read(worker.stdout.fileno(), 65_536)
            except BlockingIOError:
                break
            if not received:
                given_up = self._restart()
                break
            self._received += received
        *lines, self._received = self._received.split(b"\n")
        done = [json.loads(line) for line in lines]
        for _ in done:
            self._waiting.popleft()
            self._busy, self._attempts = False, 0
        self._begin()
        return given_up + done

    def close(self, timeout: float) -> None:
        """Lets the worker end its round; ends it after so many seconds."""
        worker, self._worker = self._worker, None
        if worker is None:
            return
        if worker.stdin is not None:
            with contextlib.suppress(OSError):
                worker.stdin.close()
        try:
            worker.wait(timeout)
        except subprocess.TimeoutExpired:
            worker.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):  # one that hangs in a disk ends later
                worker.wait(timeout)

    def _begin(self) -> None:
        if self._busy or not self._waiting:
            return
        if self._worker is None:
            self._worker = subprocess.Popen(  # noqa: S603 - our own module
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
            )
            assert self._worker.stdout is not None  # asked for above
            os.set_blocking(self._worker.stdout.fileno(), False)
        assert self._worker.stdin is not None  # asked for above
        self._busy = True
        with contextlib.suppress(BrokenPipeError):  # told by the end of its output
            self._worker.stdin.write(json.dumps(self._waiting[0]).encode() + b"\n")

    def _restart(self) -> list[dict[str, Any]]:
        """The worker ended in the midst of a round: the outcome of one that is given up."""
        self.close(0.1)
        self._received, self._busy = b"", False
        self._attempts += 1
        if self._attempts < MAX_ATTEMPTS or not self._waiting:
            return []
        self._attempts = 0
        return [_answer(self._waiting.popleft(), ENDED) | {"full": False}]
