"""Servers that are killed while they record, and what the next one makes of what was left."""

from __future__ import annotations

import asyncio
import importlib.util
import io
import random
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av import VideoFrame

from mediaserver.recording.folder import RecordingFolder
from mediaserver.recording.manifest import verify
from mediaserver.recording.reader import Recording, Segment
from signalling.demo import marks
from tests.media import FRAMES_PER_SECOND, MarkedTrack
from tests.member import Member
from tests.recording_room import RecordingServer, procedure
from tests.running import Client, descendants, is_running, until

ORPHANED_SECONDS = 10.0
"""So long what a killed server had begun may take to notice."""
FIRST_SECONDS, MOST_SECONDS = 1.0, 2.5
"""A server is killed so long after its recording began."""


class CountedTrack(MarkedTrack):
    """Knows which frame was the last that its sender had sent at a moment."""

    def __init__(self) -> None:
        super().__init__()
        self._asked: list[float] = []

    async def recv(self) -> VideoFrame:
        """The next picture: the one before it is encoded and sent."""
        self._asked.append(time.monotonic())
        return await super().recv()

    def sent_by(self, moment: float) -> int:
        """The number of the last frame that had left by then; moments of the monotonic clock."""
        return sum(1 for asked in self._asked if asked <= moment) - 2


def marks_of(reader: Recording) -> list[marks.Mark]:
    """Every mark that a player can read in the first video track."""
    track = next(track for track in reader.tracks if track.kind == "video")
    found: list[marks.Mark] = []
    for segment in reader.segments(track):
        with av.open(io.BytesIO(reader.read(segment, 0, segment.size)), "r") as file:
            for picture in file.decode(video=0):
                mark = marks.read(np.asarray(picture.to_ndarray(format="gray"), np.uint8))
                if mark is not None:
                    found.append(mark)
    return found


def check_playable(reader: Recording, segment: Segment, scratch: Path) -> None:
    """FFmpeg as it is distributed decodes a segment to its end and complains of nothing; where none is
    installed, PyAV has to do (``marks_of``)."""
    if importlib.util.find_spec("imageio_ffmpeg") is None:
        return
    from imageio_ffmpeg import get_ffmpeg_exe  # type: ignore[import-untyped]

    file = scratch / f"played.{segment.suffix}"
    file.write_bytes(reader.read(segment, 0, segment.size))
    # In the file's own time base: in one of the average rate two pictures may fall into one moment.
    output = ["-enc_time_base", "demux", "-f", "null", "-"]
    command = [get_ffmpeg_exe(), "-v", "warning", "-xerror", "-i", str(file), *output]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    file.unlink()
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


@dataclass
class Killed:
    """A recording whose server was killed."""

    reader: Recording
    lost_seconds: float
    """Of pictures that had been sent when the kill came."""
    sealed_seconds: float
    """From the next server's start to the end of sealing."""


@dataclass
class Chain:
    """Server after server over one folder, each killed while it records."""

    folder: Path
    chance: random.Random

    async def start(self) -> None:
        self.server = await asyncio.to_thread(RecordingServer.begin, self.folder)

    def stop(self) -> None:
        self.server.stop()

    async def kill(self) -> Killed:
        """Records, kills, starts the next; what that one sealed."""
        server, track = self.server, CountedTrack()
        async with Client(server) as http:
            room = server.new_room()
            async with Member(http, room) as surgeon:
                await surgeon.publish([(track, "Scope", "endoscope")])
                before = {folder.id for folder in server.recordings()}
                await surgeon.do("start_recording", procedure=await procedure(http, room))
                await asyncio.sleep(self.chance.uniform(FIRST_SECONDS, MOST_SECONDS))
                helpers = descendants(server.process.pid)
                assert server.recorder in helpers
                server.process.send_signal(signal.SIGKILL)
                sent = track.sent_by(time.monotonic())
                await asyncio.to_thread(server.process.wait)
        assert server.process.stdout is not None
        server.process.stdout.close()
        begun = time.monotonic()
        await self.start()
        await until(lambda: not any(map(is_running, helpers)), ORPHANED_SECONDS, "no orphan is left")
        (left,) = [folder for folder in self.server.recordings() if folder.id not in before]
        reader = await self._sealed(left)
        elapsed = time.monotonic() - begun
        frames = [mark.frame for mark in marks_of(reader)]
        assert frames == sorted(set(frames))
        missing = sent - frames[0] + 1 - sum(1 for frame in frames if frame <= sent)
        return Killed(reader, max(0, missing) / FRAMES_PER_SECOND, elapsed)

    async def _sealed(self, folder: RecordingFolder) -> Recording:
        vault = self.server.vault
        await until(lambda: Recording.open(folder.path, vault).state == "sealed", 60, "sealed")
        assert verify(folder, vault).closed
        return Recording.open(folder.path, vault)
