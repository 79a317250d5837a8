"""The canary as the server sees it: started, listened to, started again, and missed when silent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import sys
import time
from collections.abc import Callable

import msgspec
import structlog

from mediaserver.clinical import ClinicalClass
from mediaserver.operations.model import CanaryReading
from mediaserver.policy import Right, Role
from signalling import tokens
from signalling.auth import Authenticator
from signalling.canary.tally import Told
from signalling.tokens import Audience

ROOM_PREFIX = "canary."
TOKEN_SECONDS = 60
PAUSE_SECONDS = 2.0
"""Before one that ended is started again: its silence goes on counting meanwhile."""
TELL_SECONDS = 1.0

_log = structlog.stdlib.get_logger(__name__)


class Canary:
    """``seen`` gets a reading a second, from the canary or of its silence."""

    def __init__(
        self, authenticator: Authenticator, url: str, seen: Callable[[CanaryReading | None], None]
    ) -> None:
        self._authenticator = authenticator
        self._url = url
        self._seen = seen
        self._room = f"{ROOM_PREFIX}{secrets.token_hex(6)}"
        self._heard = time.monotonic()
        """When a picture last came back, as far as is known."""
        self._last = Told(None, None, 0.0)
        self.pid: int | None = None
        self.starts = 0

    async def run(self) -> None:
        """Runs one canary after another until cancelled."""
        self._heard = time.monotonic()
        telling = asyncio.create_task(self._tell())
        try:
            while True:
                try:
                    await self._one()
                    _log.warning("the canary ended and is started again")
                except Exception:
                    # No descriptor or no memory, say: just then its silence must be told.
                    _log.exception("the canary failed and is started again")
                await asyncio.sleep(PAUSE_SECONDS)
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
            self._seen(None)

    async def _one(self) -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "signalling.canary.process", self._url),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # Ctrl-C in a terminal is the server's alone, which ends what it began.
            start_new_session=True,
        )
        self.pid = process.pid
        self.starts += 1
        assert process.stdin is not None, "asked for"
        assert process.stdout is not None, "asked for"
        try:
            given = {
                "send_token": self._token(Right.PUBLISH_VIDEO),
                "receive_token": self._token(Right.SUBSCRIBE),
            }
            # The pipe stays open: its end tells the canary that we are gone.
            process.stdin.write(json.dumps(given).encode() + b"\n")
            with contextlib.suppress(ConnectionError):
                await process.stdin.drain()
            async for line in process.stdout:
                self._told(msgspec.json.decode(line, type=Told), time.monotonic())
        finally:
            self.pid = None
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def _told(self, told: Told, now: float) -> None:
        self._last = told
        if told.delay_seconds is not None:
            self._heard = max(self._heard, now - told.silent_seconds)

    async def _tell(self) -> None:
        """Whether or not the canary says anything: a process that hangs is silent too."""
        while True:
            await asyncio.sleep(TELL_SECONDS)
            self._seen(self._reading(time.monotonic(), time.time_ns() // 1_000_000))

    def _reading(self, now: float, at_ms: int) -> CanaryReading:
        """``now``: the steady clock, in seconds."""
        silent = now - self._heard
        fresh = silent <= self._last.silent_seconds + 2 * TELL_SECONDS
        return CanaryReading(
            at_ms=at_ms,
            delay_seconds=self._last.delay_seconds if fresh else None,
            loss_ratio=self._last.loss_ratio if fresh else None,
            silent_seconds=silent,
        )

    def _token(self, right: Right) -> str:
        token, _ = self._authenticator.issue(
            tokens.new_claims(
                audience=Audience.JOIN,
                room=self._room,
                role=Role.STAFF,
                now_seconds=self._authenticator.now_seconds(),
                lifetime_seconds=TOKEN_SECONDS,
                rights=frozenset({right}),
                clinical=ClinicalClass.TEST,
            )
        )
        return token
