"""The probe's own process: reads taps, looks at pictures, tells verdicts. It keeps no picture.

``python -m mediaserver.quality --control FD``: a ``SOCK_SEQPACKET`` whose messages are JSON. From the server
``{"do": "watch", "publication", "codec", "source_type"}`` with the tap's descriptor, and ``{"do": "forget",
"publication"}``; to it ``{"publication", "verdict"}`` when a verdict changes, and ``{"publication",
"keyframe": true}`` when none has come for long, and ``{"publication", "decoding"}`` true before a picture is
decoded, false after.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import time
from dataclasses import dataclass, field
from typing import Any

from mediaserver.operations.model import PictureVerdict
from mediaserver.quality.judge import Judge
from mediaserver.quality.look import look
from mediaserver.quality.pictures import Pictures, Undecodable
from mediaserver.recording.records import scan

MAX_MESSAGE_BYTES = 256 * 1024
KEYFRAME_SECONDS = 10.0
"""After so long without one a key frame is asked for. Oftener would cost the publisher's link."""
NICENESS = 10
"""Whatever is live goes first."""
LOOK_SECONDS = 1.0


@dataclass(slots=True)
class Watched:
    """One source."""

    tap: socket.socket
    pictures: Pictures
    judge: Judge
    heard_at: float
    told: PictureVerdict | None = None


@dataclass(slots=True)
class Probe:
    """All sources. ``now`` is the steady clock everywhere."""

    control: socket.socket
    sources: dict[str, Watched] = field(default_factory=dict)
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    ended: bool = False

    def __post_init__(self) -> None:
        self.control.setblocking(False)
        self.selector.register(self.control, selectors.EVENT_READ, None)

    def run(self) -> None:
        """Until the server's end of the control socket closes."""
        while not self.ended:
            for key, _ in self.selector.select(LOOK_SECONDS):
                if key.data is None:
                    self.obey()
                elif key.data in self.sources:
                    self.read(key.data, time.monotonic())
            self.ask(time.monotonic())

    def obey(self) -> None:
        """One message of the server."""
        try:
            text, descriptors, _, _ = socket.recv_fds(self.control, MAX_MESSAGE_BYTES, 1)
        except BlockingIOError:
            return
        if not text:
            self.ended = True
            return
        message: dict[str, Any] = json.loads(text)
        self.forget(message["publication"])
        if message["do"] == "watch" and descriptors:
            tap = socket.socket(fileno=descriptors[0])
            tap.setblocking(False)
            publication = message["publication"]
            pictures = Pictures(message["codec"], lambda now: self.tell(publication, decoding=now))
            judge = Judge(message["source_type"])
            self.sources[publication] = Watched(tap, pictures, judge, time.monotonic())
            self.selector.register(tap, selectors.EVENT_READ, publication)
        else:
            for descriptor in descriptors:
                os.close(descriptor)

    def forget(self, publication: str) -> None:
        """Reads a source no longer. Idempotent."""
        source = self.sources.pop(publication, None)
        if source is not None:
            self.selector.unregister(source.tap)
            source.tap.close()

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
        for record in scan(data):
            try:
                planes = source.pictures.take(data, record, now)
            except Undecodable:
                source.heard_at = now
                source.judge.unreadable()
                continue
            if planes is not None:
                source.heard_at = now
                source.judge.look(now, look(*planes))
        verdict = None if source.pictures.muted else source.judge.verdict
        if verdict != source.told:
            source.told = verdict
            self.tell(publication, verdict=verdict)

    def ask(self, now: float) -> None:
        """For key frames of sources that have shown none for long."""
        for publication, source in self.sources.items():
            if now - source.heard_at >= KEYFRAME_SECONDS and not source.pictures.muted:
                source.heard_at = now
                self.tell(publication, keyframe=True)

    def tell(self, publication: str, **said: object) -> None:
        """The server; one that is gone ends this process by its closed socket."""
        try:
            self.control.send(json.dumps({"publication": publication, **said}).encode())
        except OSError:
            self.ended = True
