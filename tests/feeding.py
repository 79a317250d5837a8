"""A recorder process fed by a test in the plane's stead: batches of records on sockets, in real time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from mediaserver.config import Data, Recording, Settings
from mediaserver.recording.folder import RecordingFolder
from mediaserver.recording.leftovers import leftovers
from mediaserver.recording.process import Message, RecorderProcess
from mediaserver.recording.reader import Recording as Reader
from mediaserver.vault import Vault, make_master_key
from tests.recorded import Source, encoded

STEP = 1 / 30
MAX_WAITING = 4_194_304
"""Bytes that wait for a recorder that does not read, as in the plane (``dataplane/driver/src/taps.rs``)."""


@dataclass
class Feeder:
    """Starts recorders as the server does, tells them again when they ended, and feeds tracks."""

    folder: Path
    roots: tuple[Path, ...] = ()
    recording: str = field(default_factory=lambda: f"r{secrets.token_hex(6)}")
    messages: list[Message] = field(default_factory=list)
    taps: dict[str, tuple[socket.socket, socket.socket]] = field(default_factory=dict)
    left_state: str = "sealed"
    """What recordings that others left end as."""
    waiting: dict[str, deque[bytes]] = field(default_factory=dict)
    """Batches for which a tap has no room yet."""
    sent: int = 0
    """Pictures fed."""
    dropped: int = 0
    """Batches that found no room."""

    def __post_init__(self) -> None:
        key = self.folder / "key" / "master.key"
        make_master_key(key)
        data = self.folder / "data"
        data.mkdir()
        self.roots = self.roots or (data / "recordings",)
        self.vault = Vault.open(Settings(data=Data(folder=data), recording=Recording(master_key_file=key)))
        arguments = ["--data", str(data), "--master-key-file", str(key)]
        for root in self.roots:
            arguments += ["--root", str(root)]
        self.process = RecorderProcess(arguments)
        self.start_micros = time.monotonic_ns() // 1000
        self.source = Source(worker_shift=0, delay=0.0, start_micros=self.start_micros)
        self._ending: str | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._listen())
        await self.told(lambda message: message["event"] == "started")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.process.end(20.0)
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        for pair in self.taps.values():
            for end in pair:
                end.close()

    async def _listen(self) -> None:
        async for message in self.process.messages():
            self.messages.append(message)
            if message["event"] == "up":
                self._brief()

    def _brief(self) -> None:
        left = leftovers(self.roots, self.vault)
        states = {one.recording: self.left_state for one in left if one.recording != self.recording}
        self.process.send({"do": "recover", "states": states})
        room = self.vault.seal_field("theatre", f"recording/{self.recording}/room").hex()
        begin = {
            "room": room,
            "procedure": "p1",
            "monotonic_micros": self.start_micros,
            "unix_micros": time.time_ns() // 1000,
        }
        self.process.send({"do": "start", "recording": self.recording, "begin": begin})
        for name in self.taps:
            self._hand_over(name)
        if self._ending:
            self.process.send({"do": "stop", "recording": self.recording, "state": self._ending})

    def _hand_over(self, name: str) -> None:
        source = {
            "kind": "video",
            "codec": "VP8",
            "clock_rate": 90_000,
            "source_type": "endoscope",
            "participant": "p",
            "label": "",
        }
        order = {"do": "track", "recording": self.recording, "track": name, "source": source}
        self.process.send(order, [self.taps[name][0].fileno()])

    def track(self, name: str) -> None:
        """A tap of a new track; the reading end stays open here, as the server keeps it."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        theirs.setblocking(False)
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self.taps[name], self.waiting[name] = (ours, theirs), deque()
        self._hand_over(name)

    async def told(self, wanted: Callable[[Message], bool], seconds: float = 60.0) -> Message:
        """The first message like this, past or to come."""
        async with asyncio.timeout(seconds):
            while not (found := [m for m in self.messages if wanted(m)]):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return found[0]

    def axis(self) -> float:
        """Seconds since the recording's start."""
        return (time.monotonic_ns() // 1000 - self.start_micros) / 1_000_000

    async def feed(self, name: str, seconds: float, *, only_keyframe: bool = False) -> None:
        """Pictures in real time; a single key frame in all of them if asked."""
        units = encoded("VP8", 300, every=10_000 if only_keyframe else 30)
        end = self.axis() + seconds
        while self.axis() < end:
            at = self.axis()
            records = [] if self.sent else [self.source.begin(at)]
            records += self.source.picture(at, units[self.sent % len(units)], self.sent)
            if self.sent % 30 == 1:
                records.append(self.source.report(at))
            self.put(name, b"".join(records))
            self.sent += 1
            await asyncio.sleep(max(0.0, at + STEP - self.axis()))

    def put(self, name: str, batch: bytes) -> None:
        """One message to a tap, behind those that wait for it."""
        waiting = self.waiting[name]
        if sum(map(len, waiting)) + len(batch) > MAX_WAITING:
            self.dropped += 1
            return
        waiting.append(batch)
        self._flush(name)

    def _flush(self, name: str) -> None:
        waiting = self.waiting[name]
        with contextlib.suppress(BlockingIOError):
            while waiting:
                self.taps[name][1].send(waiting[0])
                waiting.popleft()

    def kill(self) -> None:
        """SIGKILL to the present recorder."""
        assert self.process.pid is not None
        os.kill(self.process.pid, signal.SIGKILL)

    async def stop(self, state: str = "sealed", seconds: float = 60.0) -> Reader:
        """Ends the recording; as it is read when it is sealed, which takes so long at most."""
        self._ending = state
        while any(self.waiting.values()):
            for name in self.waiting:
                self._flush(name)
            await asyncio.sleep(0.01)
        for _, theirs in self.taps.values():
            theirs.close()
        self.process.send({"do": "stop", "recording": self.recording, "state": state})
        await self.told(lambda m: m["event"] == "sealed" and m["state"] == state, seconds)
        return self.read()

    def read(self) -> Reader:
        """As it is on the disk."""
        return Reader.open(RecordingFolder.of(self.roots[0], self.recording).path, self.vault)  # type: ignore[arg-type]


def pictures(reader: Reader, track: int = 0) -> int:
    """Pictures in all segments of a track."""
    from tests.recorded import decoded

    segments = reader.segments(reader.tracks[track])
    return sum(len(decoded(reader.read(segment, 0, segment.size))) for segment in segments)


def figures(feeder: Feeder) -> dict[str, Any]:
    """What the recorder told last of its disk."""
    return [message for message in feeder.messages if message["event"] == "figures"][-1]
