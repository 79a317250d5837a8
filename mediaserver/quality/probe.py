"""The probe's own process: reads taps, looks at pictures, tells verdicts. It keeps no picture.

``python -m mediaserver.quality --control FD --share SHARE``: a ``SOCK_SEQPACKET`` whose messages are JSON.
From the server ``{"do": "watch", "publication", "codec", "source_type"}`` with the tap's descriptor, ``{"do":
"forget", "publication"}``, and ``{"do": "thumbnail", "publication", "seconds"}`` for the next picture within
that time; to it ``{"publication", "verdict"}`` when a verdict changes, ``{"publication", "keyframe": true}``
when none has come for long or one is wanted, ``{"publication", "decoding"}`` true before a picture is
decoded, false after, and ``{"publication", "thumbnail"}``, JPEG in base64.
"""

from __future__ import annotations

import base64
import heapq
import json
import os
import selectors
import socket
import time
from dataclasses import dataclass
from typing import Any

from mediaserver.operations.model import PictureVerdict
from mediaserver.quality.judge import Judge
from mediaserver.quality.look import Plane, look
from mediaserver.quality.pace import APART_SECONDS, Pace
from mediaserver.quality.pictures import Pictures, Undecodable
from mediaserver.quality.thumbnail import jpeg
from mediaserver.recording.records import scan

MAX_MESSAGE_BYTES = 256 * 1024
KEYFRAME_SECONDS = 10.0
"""After so long without one a key frame is asked for. Oftener would cost the publisher's link."""
SPREAD_SECONDS = KEYFRAME_SECONDS / 2
"""In which all sources can be asked, one after the other."""
ASK_SECONDS = 0.1
"""From one round of asking to the next, at least."""
ASKED_A_ROUND = round(SPREAD_SECONDS / ASK_SECONDS)
"""Up to so many sources are asked one a round; of twice as many two, and so on."""
NICENESS = 10
"""Whatever is live goes first."""


@dataclass(slots=True)
class Watched:
    """One source."""

    tap: socket.socket
    pictures: Pictures
    judge: Judge
    heard_at: float
    asked_at: float = float("-inf")
    """For a key frame."""
    told: PictureVerdict | None = None
    cost: float = 0.0
    """Processor seconds since the last look."""

    @property
    def quiet_since(self) -> float:
        """Neither heard of nor asked."""
        return max(self.heard_at, self.asked_at)


class Probe:
    """All sources. ``now`` is the steady clock everywhere."""

    def __init__(self, control: socket.socket, share: float) -> None:
        """``share``: of a processor core, for all looks together."""
        self.control = control
        self.pace = Pace(share)
        self.sources: dict[str, Watched] = {}
        self.wanted: dict[str, float] = {}
        """Whose next picture is wanted itself, and by when."""
        self.ended = False
        self._next_round_at = float("-inf")
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ, None)

    def run(self) -> None:
        """Until the server's end of the control socket closes."""
        while not self.ended:
            for key, _ in self._selector.select(ASK_SECONDS if self.sources else None):
                if key.data is None:
                    self.obey(time.monotonic())
                elif key.data in self.sources:
                    self.read(key.data, time.monotonic())
            self.ask(time.monotonic())

    # ---- What the server wants ----

    def obey(self, now: float) -> None:
        """One message of the server."""
        try:
            text, descriptors, _, _ = socket.recv_fds(self.control, MAX_MESSAGE_BYTES, 1, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except ConnectionResetError:
            # The server ended with words of ours unread.
            text, descriptors = b"", []
        if not text:
            self.ended = True
            return
        message: dict[str, Any] = json.loads(text)
        publication = message["publication"]
        match message["do"]:
            case "watch" if descriptors:
                self.watch(publication, message, socket.socket(fileno=descriptors.pop()), now)
            case "thumbnail" if publication in self.sources:
                self.wanted[publication] = now + message["seconds"]
                self._ask_for(publication, now)
            case "forget":
                self.forget(publication)
        for descriptor in descriptors:
            os.close(descriptor)

    def watch(self, publication: str, about: dict[str, Any], tap: socket.socket, now: float) -> None:
        """Reads a source from now on, in place of what was read of it before."""
        self.forget(publication)
        tap.setblocking(False)
        pictures = Pictures(about["codec"], lambda now: self.tell(publication, decoding=now))
        self.sources[publication] = Watched(tap, pictures, Judge(about["source_type"]), now)
        self._selector.register(tap, selectors.EVENT_READ, publication)

    def forget(self, publication: str) -> None:
        """Reads a source no longer. Idempotent."""
        source = self.sources.pop(publication, None)
        if source is not None:
            self.wanted.pop(publication, None)
            self.pace.forget(publication)
            self._selector.unregister(source.tap)
            source.tap.close()

    # ---- What taps bring ----

    def read(self, publication: str, now: float) -> None:
        """One message of a tap, which holds whole records."""
        source = self.sources[publication]
        try:
            data = source.tap.recv(MAX_MESSAGE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.forget(publication)
            self.tell(publication, verdict=None)
            return
        begun, looked = time.process_time(), False
        apart = APART_SECONDS if publication in self.wanted else self.pace.apart_seconds(publication)
        source.pictures.apart_seconds = apart
        for record in scan(data):
            try:
                planes = source.pictures.take(data, record, now)
            except Undecodable:
                looked = True
                source.judge.unreadable()
                continue
            if planes is not None:
                looked = True
                self.look(publication, planes, now)
        source.cost += time.process_time() - begun
        if looked:
            source.heard_at = now
            self.pace.looked(publication, source.cost)
            source.cost = 0.0
        verdict = None if source.pictures.muted else source.judge.verdict
        if verdict != source.told:
            source.told = verdict
            self.tell(publication, verdict=verdict)

    def look(self, publication: str, planes: tuple[Plane, Plane, Plane], now: float) -> None:
        """One picture."""
        self.sources[publication].judge.look(now, look(*planes))
        if now <= self.wanted.pop(publication, float("-inf")):
            self.tell(publication, thumbnail=base64.b64encode(jpeg(*planes)).decode())

    # ---- What the server is told ----

    def ask(self, now: float) -> None:
        """For key frames: of sources that have shown none for long, and again where one is wanted."""
        self.wanted = {id: until for id, until in self.wanted.items() if now <= until}
        for publication in self.wanted:
            if now - self.sources[publication].asked_at >= APART_SECONDS:
                self._ask_for(publication, now)
        if now < self._next_round_at:
            return
        self._next_round_at = now + ASK_SECONDS
        quiet = [
            (source.quiet_since, publication)
            for publication, source in self.sources.items()
            if now - source.quiet_since >= max(KEYFRAME_SECONDS, self.pace.apart_seconds(publication))
            and not source.pictures.muted
        ]
        for _, publication in heapq.nsmallest(1 + len(self.sources) // ASKED_A_ROUND, quiet):
            # Key frames are large: sources that began together must not go on sending theirs together.
            self._next_round_at = now + max(ASK_SECONDS, SPREAD_SECONDS / len(self.sources))
            self._ask_for(publication, now)

    def _ask_for(self, publication: str, now: float) -> None:
        self.sources[publication].asked_at = now
        self.tell(publication, keyframe=True)

    def tell(self, publication: str, **said: object) -> None:
        """The server, and waits where it is busy; one that is gone ends this process by its closed socket."""
        try:
            self.control.send(json.dumps({"publication": publication, **said}).encode())
        except OSError:
            self.ended = True
