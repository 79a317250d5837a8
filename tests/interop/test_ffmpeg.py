"""FFmpeg's own WHIP: H.264 and Opus, as DTLS server (its default) and as DTLS client; watched in Chromium."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.browser.conftest import OpenVisitor, chromium, visit
from tests.running import Client, Server, until

__all__ = ["chromium", "visit"]  # fixtures

pytestmark = [
    pytest.mark.interop,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("chromium"),
]


def ffmpeg() -> str:
    """FFmpeg 8 or newer, with WHIP."""
    if importlib.util.find_spec("imageio_ffmpeg") is None:
        pytest.skip("no imageio-ffmpeg: it brings an FFmpeg with WHIP")
    from imageio_ffmpeg import get_ffmpeg_exe  # type: ignore[import-untyped]

    muxers = subprocess.run(
        [get_ffmpeg_exe(), "-hide_banner", "-muxers"], capture_output=True, text=True, check=True
    )
    if re.search(r"\bwhip\b", muxers.stdout) is None:
        pytest.skip("this FFmpeg has no WHIP: version 8 or newer is needed")
    return str(get_ffmpeg_exe())


@asynccontextmanager
async def encoder(server: Server, room: str, *flags: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A test picture and a tone, at the speed of a camera."""
    command = [
        ffmpeg(), "-hide_banner", "-loglevel", "warning", "-re",
        "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=20",
        "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000",
        "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-profile:v", "baseline",
        "-g", "40", "-bf", "0", "-pix_fmt", "yuv420p", "-b:v", "500k",
        "-c:a", "libopus", "-ac", "2", "-ar", "48000",
        "-f", "whip", "-authorization", server.token(room, "staff", name="Tower"), *flags,
        f"{server.url}/whip/{room}",
    ]  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.parametrize("flags", [(), ("-whip_flags", "dtls_active")], ids=["dtls server", "dtls client"])
async def test_ffmpeg_is_seen_and_heard_in_chromium(
    visit: OpenVisitor, server: Server, flags: tuple[str, ...]
) -> None:
    room = server.new_room()
    async with Client(server) as http, encoder(server, room, *flags) as process:

        async def flows() -> bool:
            if process.returncode is not None:
                assert process.stderr is not None
                pytest.fail((await process.stderr.read()).decode())
            response = await http.request(
                "GET", f"/api/v1/rooms/{room}", headers=server.bearer(room, "moderator")
            )
            return response.status == 200 and len((await response.json())["publications"]) == 2

        await until(flows, 20, "FFmpeg's two publications")
        assert {one["codec"].lower() for one in (await http.room(room))["publications"]} == {"h264", "opus"}
        watcher = await visit()
        await watcher.watch(room, 640)

        async def received() -> bool:
            inbound = {entry["kind"]: entry for entry in await watcher.statistics("inbound-rtp")}
            video, audio = inbound.get("video", {}), inbound.get("audio", {})
            return bool(video.get("framesDecoded", 0) > 40 and audio.get("totalAudioEnergy", 0) > 0.001)

        await until(received, 20, "pictures and sound in Chromium")
        [video] = [entry for entry in await watcher.statistics("inbound-rtp") if entry["kind"] == "video"]
        assert (video["frameWidth"], video["frameHeight"]) == (640, 360)
        assert video["packetsLost"] == 0
        # `q` ends FFmpeg as a person would: it sends DELETE, and the room is empty at once.
        process.stdin.write(b"q")  # type: ignore[union-attr]
        assert await asyncio.wait_for(process.wait(), 15) == 0

        async def gone() -> bool:
            return not (await http.room(room))["publications"]

        await until(gone, 5, "DELETE")
