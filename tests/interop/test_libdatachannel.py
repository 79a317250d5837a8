"""libdatachannel, OBS's stack, publishes by WHIP: H.264 agreed, Opus heard, DELETE answered by 200."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.media import viewer
from tests.running import Client, until

pytestmark = pytest.mark.interop
HERE = Path(__file__).parent


async def test_libdatachannel_publishes(http: Client) -> None:
    node = shutil.which("node")
    if node is None or not (HERE / "node_modules" / "node-datachannel").exists():
        pytest.skip("no node-datachannel: run npm ci in tests/interop")
    room = http.server.new_room()
    process = await asyncio.create_subprocess_exec(
        node, "libdatachannel.mjs", f"{http.server.url}/whip/{room}", cwd=HERE,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    told: list[dict[str, Any]] = []
    reading = asyncio.create_task(read(process, told))
    try:
        process.stdin.write(http.server.token(room, "staff", name="OBS").encode() + b"\n")
        await until(lambda: any("answered" in line for line in told), 10, "the answer")
        [answered] = [line for line in told if "answered" in line]
        assert answered["answered"] == 201
        assert answered["video"], "H.264 was not agreed"
        await until(lambda: {"state": "connected"} in told, 10, f"a connection: {told}")
        assert {one["codec"].lower() for one in (await http.room(room))["publications"]} == {"h264", "opus"}
        async with viewer() as watcher:
            await watcher.accept(await http.whep(room, await watcher.offer()))
            await until(lambda: watcher.of("audio").sounds > 50, 15, "sound")
            assert (await watcher.received("audio"))[1] == 0
        process.stdin.close()
        await until(lambda: any("deleted" in line for line in told), 10, "DELETE")
        assert {"deleted": 200} in told
        assert (await http.room(room))["publications"] == []
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading


async def read(process: asyncio.subprocess.Process, told: list[dict[str, Any]]) -> None:
    """Collects what it prints."""
    assert process.stdout is not None
    async for line in process.stdout:
        told.append(json.loads(line))  # noqa: PERF401 - read by the test while it grows
