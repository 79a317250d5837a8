"""The picture probe as the server sees it: which sources it watches, and what it says of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import structlog

from mediaserver.operations.model import PictureReading, PictureWatch
from mediaserver.quality.wanted import LIMIT_SECONDS, Wanted
from mediaserver.recording.depacketise import RECORDABLE
from mediaserver.room import Publication, Room
from mediaserver.session import Registry
from mediaserver.tasks import end_tasks

MAX_MESSAGE_BYTES = 128 * 1024
SYNC_SECONDS = 2.0
MAX_SOURCES = 512
"""Watched at once, of the most urgent rooms: each takes a descriptor here and one there, of 1024. What all of
them cost is bounded by their pace (``mediaserver/quality/pace.py``)."""
PAUSE_SECONDS = 5.0
"""Before a probe that ended is started again: it is advice, not care."""

_log = structlog.stdlib.get_logger(__name__)

MAX_DEATHS = 2
"""Of probes while they decoded one source: then it is left alone, so that the others are watched."""
Unwatched: TypeAlias = Literal["probe_down", "too_many", "codec", "deadly"]
UNWATCHED: tuple[Unwatched, ...] = get_args(Unwatched)

Seen = Callable[[str, PictureReading | None], None]


@dataclass(frozen=True, slots=True)
class LastLook:
    """One look at a source. Times are Unix seconds."""

    at: float
    apart_seconds: float | None
    """Since the look before; None: it is the first."""

    @staticmethod
    def after(before: LastLook | None, at: float) -> LastLook:
        """The next one."""
        return LastLook(at, None if before is None else max(0.0, at - before.at))


class PictureProbe:
    """One process's. ``seen`` gets each verdict that changed, and what is not watched."""

    def __init__(self, registry: Registry, seen: Seen) -> None:
        self._registry = registry
        self._seen = seen
        self._wanted = Wanted()
        self._watched: dict[str, int] = {}
        """Publication -> the plane's handle."""
        self._looks: dict[str, LastLook] = {}
        """The last at each publication that is watched."""
        self.looks_begun = 0
        self._unwatched: dict[str, Unwatched] = {}
        """Publications that nobody looks at, and why."""
        self._decoding: str | None = None
        """What the probe decodes at this moment."""
        self._deaths: Counter[str] = Counter()
        """Of probes, by the publication that they decoded then."""
        self._control: socket.socket | None = None
        self.pid: int | None = None
        self.starts = 0

    @property
    def unwatched(self) -> Counter[str]:
        """Sources that nobody looks at, by reason."""
        return Counter(self._unwatched.values())

    def figures(self) -> PictureWatch:
        """How much is looked at, and how often."""
        apart = [look.apart_seconds for look in self._looks.values() if look.apart_seconds is not None]
        return PictureWatch(
            sources=len(self._watched) + len(self._unwatched),
            watched=len(self._watched),
            look_seconds=round(sum(apart) / len(apart), 1) if apart else None,
            thumbnails=self._registry.settings.watch.thumbnails,
        )

    def looked_ms(self, publication: str) -> int | None:
        """When a source was last looked at; Unix milliseconds."""
        look = self._looks.get(publication)
        return None if look is None else int(look.at * 1000)

    async def thumbnail(self, publication: str) -> bytes:
        """The next picture of a source, small, as JPEG; whether that may be shown is asked above.

        Raises ``LimitReached``, ``PictureNotWatched``, ``NoPictureYet``.
        """
        message = {"do": "thumbnail", "publication": publication, "seconds": LIMIT_SECONDS}
        return await self._wanted.picture(
            publication, lambda: publication in self._watched and self._send(message)
        )

    async def run(self) -> None:
        """Runs one probe after another until cancelled; none before there is a picture to look at."""
        while True:
            while not self._watchable():  # noqa: ASYNC110 - rooms tell nobody of their pictures
                await asyncio.sleep(SYNC_SECONDS)
            try:
                await self._one()
                _log.warning("the picture probe ended and is started again")
            except Exception:
                _log.exception("the picture probe failed and is started again")
            self._leave_out(dict.fromkeys(self._pictures(), "probe_down"))
            await asyncio.sleep(PAUSE_SECONDS)

    async def _one(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours:
            with theirs:
                ours.setblocking(False)
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "mediaserver.quality", "--control", str(theirs.fileno())),
                    *("--share", str(self._registry.settings.watch.pictures_share)),
                    pass_fds=(theirs.fileno(),),
                    stdin=asyncio.subprocess.DEVNULL,
                    # Ctrl-C in a terminal is the server's alone, which ends what it began.
                    start_new_session=True,
                )
            await self._attend(process, ours)

    async def _attend(self, process: asyncio.subprocess.Process, ours: socket.socket) -> None:
        self._control, self.pid = ours, process.pid
        self.starts += 1
        tasks = [asyncio.create_task(self._listen(ours)), asyncio.create_task(self._keep_up())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if self._decoding is not None:
                self._deaths[self._decoding] += 1
        finally:
            await end_tasks(tasks)
            self._control = self.pid = self._decoding = None
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
            except ConnectionResetError:
                # It died with words of ours unread; what it said last is still to be heard.
                continue
            except OSError:
                return
            if not text:
                return
            self._heard(json.loads(text))

    def _heard(self, message: dict[str, Any]) -> None:
        publication = message["publication"]
        handle = self._watched.get(publication)
        if handle is None:
            return
        if "keyframe" in message:
            self._registry.plane.request_keyframe(handle)
        elif "thumbnail" in message:
            self._wanted.came(publication, message["thumbnail"])
        elif "verdict" in message:
            self._seen(publication, message["verdict"])
        elif message["decoding"]:
            self._decoding = publication
            self.looks_begun += 1
            self._looks[publication] = LastLook.after(self._looks.get(publication), time.time())
        else:
            self._decoding = None

    async def _keep_up(self) -> None:
        while True:
            self.sync()
            await asyncio.sleep(SYNC_SECONDS)

    # ---- Which sources ----

    def sync(self) -> None:
        """Begins to watch what came, and forgets what went or must make room for what is more urgent."""
        pictures = self._pictures()
        watchable = [id for id in pictures if self._hindrance(pictures[id]) is None]
        chosen = watchable[:MAX_SOURCES]
        for id in [id for id in self._watched if id not in chosen]:
            self._forget(id)
        left_out = pictures.keys() - chosen
        self._leave_out({id: self._hindrance(pictures[id]) or "too_many" for id in left_out})
        self._deaths = Counter({id: deaths for id, deaths in self._deaths.items() if id in pictures})
        for id in chosen:
            if id not in self._watched:
                self._watch(pictures[id])

    def _leave_out(self, publications: dict[str, Unwatched]) -> None:
        before, self._unwatched = self._unwatched, publications
        for id in before.keys() - publications.keys():
            self._seen(id, None)
        for id in publications.keys() - before.keys():
            self._seen(id, "not_watched")

    def _watchable(self) -> list[Publication]:
        return [one for one in self._pictures().values() if self._hindrance(one) is None]

    def _hindrance(self, publication: Publication) -> Unwatched | None:
        """Why it cannot be looked at, however much room there is."""
        if publication.codec.name.upper() not in RECORDABLE:
            return "codec"
        return "deadly" if self._deaths[publication.id] >= MAX_DEATHS else None

    def _pictures(self) -> dict[str, Publication]:
        """Every picture: the most urgent first, the older first among equals."""
        found = [
            (room, publication)
            for room, id in self._registry.publications.values()
            if (publication := room.publications.get(id)) is not None and publication.kind == "video"
        ]
        found.sort(key=lambda one: -_urgency(one[0]))
        return {publication.id: publication for _, publication in found}

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
        self._looks.pop(publication, None)
        self._wanted.ended(publication)
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
