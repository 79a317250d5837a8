"""One data folder and two servers: the second is told so; one that takes over from the first starts."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from pathlib import Path

from signalling.serve import FOLDER_SECONDS
from tests.media import MarkedTrack
from tests.member import Member, about
from tests.recording_room import RecordingServer, procedure
from tests.running import Client, free_udp_port, loupe, until


async def test_a_second_server_says_that_another_one_uses_the_folder(tmp_path: Path) -> None:
    first = RecordingServer.begin(tmp_path)
    try:
        second = await asyncio.to_thread(
            subprocess.run,
            loupe(
                "serve", "--listen", "127.0.0.1:0", "--media-address", "127.0.0.1",
                "--media-port", str(free_udp_port()), "--data", str(first.data),
            ),
            capture_output=True,
            text=True,
            timeout=FOLDER_SECONDS + 20,
            check=False,
        )  # fmt: skip
        assert (second.returncode, second.stdout) == (1, "")
        assert second.stderr == (
            f"loupe: another server uses the folder {first.data}: "
            "end it (`loupe drain`), or give another --data\n"
        )
        async with Client(first) as http:
            assert (await http.request("GET", "/readyz")).status == 200
    finally:
        assert first.stop() == 0


async def record(server: RecordingServer, sealed: int) -> None:
    """A room of this server is recorded for a moment; so many recordings are in the folder then."""
    async with Client(server) as http:
        room = server.new_room()
        case = await procedure(http, room)
        async with Member(http, room) as surgeon:
            await surgeon.publish([(MarkedTrack(), "Scope", "endoscope")])
            await surgeon.do("start_recording", procedure=case)
            await asyncio.sleep(1)
            await surgeon.do("stop_recording")
            await surgeon.event("recording", about("", state="sealed"))
    await server.sealed(sealed)


async def test_a_successor_starts_while_the_first_still_ends(tmp_path: Path) -> None:
    """The first takes long to end, as its recorder hangs; only to record the second has to wait for it."""
    first = RecordingServer.begin(tmp_path)
    recorder = 0
    try:
        await record(first, 1)
        recorder = first.recorder
        os.kill(recorder, signal.SIGSTOP)
        starting = asyncio.create_task(asyncio.to_thread(RecordingServer.begin, tmp_path))
        await asyncio.sleep(1)
        assert not starting.done(), "the first serves"
        first.process.send_signal(signal.SIGTERM)
        second = await starting
        try:
            assert first.process.poll() is None
            os.kill(recorder, signal.SIGCONT)
            await until(lambda: first.process.poll() is not None, 40, "the first ends")
            assert first.process.returncode == 0
            await record(second, 2)
        finally:
            assert second.stop() == 0
    finally:
        if first.process.poll() is None:
            os.kill(recorder, signal.SIGCONT)
        first.stop()
