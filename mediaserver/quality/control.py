"""The picture probe as the server sees it: which sources it watches, and what it says of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
from collections.abc import Callable
from typing import Any

import structlog

from mediaserver.operations.model import PictureReading
from mediaserver.recording.depacketise import RECORDABLE
from mediaserver.room import Publication, Room
from mediaserver.session import Registry
from mediaserver.tasks import end_tasks

MAX_MESSAGE_BYTES = 64 * 1024
SYNC_SECONDS = 2.0
MAX_SOURCES = 16
"""Watched at once, of the most urgent rooms: half a core at the very most (3 % each)."""
PAUSE_SECONDS = 5.0
"""Before a probe that ended is started again: it is advice, not care."""

_log = structlog.stdlib.get_logger(__name__)

Seen = Callable[[str, PictureReading | None], None]


class PictureProbe:
    """One process's. ``seen`` gets each verdict that changed, and what is not watched for want of room."""

    def __init__(self, registry: Registry, seen: Seen) -> None:
        self._registry = registry
        self._seen = seen
        self._watched: dict[str, int] = {}
        """Publication -> the plane's handle."""
        self._unwatched: set[str] = set()
        """Publications for which there is no room beside more urgent ones."""
        self._control: socket.socket | None = None
        self.pid: int | None = None
        self.starts = 0

    async def run(self) -> None:
        """Runs one probe after another until cancelled; none before there is a picture to look at."""
        while True:
            while not self._wanted():  # noqa: ASYNC110 - rooms tell nobody of their pictures
                await asyncio.sleep(SYNC_SECONDS)
            try:
                await self._one()
                _log.warning("the picture probe ended and is started again")
            except Exception:
                _log.exception("the picture probe failed and is started again")
            await asyncio.sleep(PAUSE_SECONDS)

    async def _one(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours:
            with theirs:
                ours.setblocking(False)
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "mediaserver.quality", "--control", str(theirs.fileno())),
                    pass_fds=(theirs.fileno(),),
                    stdin=asyncio.subprocess.DEVNULL,
                )
            await self._attend(process, ours)

    async def _attend(self, process: asyncio.subprocess.Process, ours: socket.socket) -> None:
        self._control, self.pid = ours, process.pid
        self.starts += 1
        tasks = [asyncio.create_task(self._listen(ours)), asyncio.create_task(self._keep_up())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end_tasks(tasks)
            self._control = self.pid = None
            for publication in list(self._watched):
                self._forget(publication)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _listen(self, control: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                text = await loop.sock_recv(control, MAX_MESSAGE_BYTES)
            except OSError:
                return
            if not text:
                return
            message = json.loads(text)
            publication = message["publication"]
            handle = self._watched.get(publication)
            if handle is None:
                continue
            if message.get("keyframe"):
                self._registry.plane.request_keyframe(handle)
            else:
                self._seen(publication, message["verdict"])

    async def _keep_up(self) -> None:
        while True:
            self.sync()
            await asyncio.sleep(SYNC_SECONDS)

    # ---- Which sources ----

    def sync(self) -> None:
        """Begins to watch what came, and forgets what went or must make room for what is more urgent."""
        wanted = self._wanted()
        chosen = {publication.id: publication for publication in wanted[:MAX_SOURCES]}
        for id in [id for id in self._watched if id not in chosen]:
            self._forget(id)
        self._leave_out({publication.id for publication in wanted[MAX_SOURCES:]})
        for id, publication in chosen.items():
            if id not in self._watched:
                self._watch(publication)

    def _leave_out(self, publications: set[str]) -> None:
        for id in self._unwatched - publications:
            self._seen(id, None)
        for id in publications - self._unwatched:
            self._seen(id, "not_watched")
        self._unwatched = publications

    def _wanted(self) -> list[Publication]:
        """Every picture that can be looked at: the most urgent first, the older first among equals."""
        found = [
            (room, publication)
            for room, id in self._registry.publications.values()
            if (publication := room.publications.get(id)) is not None
            and publication.kind == "video"
            and publication.codec.name.upper() in RECORDABLE
        ]
        return [publication for _, publication in sorted(found, key=lambda one: -_urgency(one[0]))]

    def _watch(self, publication: Publication) -> None:
        reading, writing = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with reading, writing:
            about: dict[str, Any] = {
                "do": "watch",
                "publication": publication.id,
                "codec": publication.codec.name,
                "source_type": publication.source_type,
            }
            if not self._send(about, [reading.fileno()]):
                return
            self._registry.plane.tap(publication.handle, "probe", writing.fileno())
        self._watched[publication.id] = publication.handle

    def _forget(self, publication: str) -> None:
        handle = self._watched.pop(publication)
        self._send({"do": "forget", "publication": publication})
        if handle in self._registry.publications:
            self._registry.plane.untap(handle, "probe")
        self._seen(publication, None)

    def _send(self, message: dict[str, Any], descriptors: list[int] | None = None) -> bool:
        if self._control is None:
            return False
        try:
            socket.send_fds(self._control, [json.dumps(message).encode()], descriptors or [])
        except OSError:
            return False
        return True


def _urgency(room: Room) -> int:
    """Of a room that nobody named: below those that somebody did."""
    return -1 if room.clinical_class is None else room.clinical_class.urgency
