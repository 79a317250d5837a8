"""What closes leaves nothing, the server stops when told, and joining costs nothing for ever."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from signalling.demo.tracks import VoiceTrack
from tests.media import MarkedTrack, publisher, viewer
from tests.member import Member
from tests.running import CONFIGURATION, Client, Server, descendants, is_running, loupe, until


async def standing(http: Client) -> dict[str, float]:
    """Everything the server still holds for anybody, by metric."""
    gauges = ("loupe_participants", "loupe_tracks", "loupe_signalling_sessions")
    return {
        name: value for name, value in (await http.metrics()).items() if name.startswith(gauges) and value > 0
    }


async def test_sigterm_ends_a_busy_server_with_exit_code_0(tmp_path: Path) -> None:
    server = Server.start(tmp_path)
    async with Client(server) as http, AsyncExitStack() as stack:
        surgeon = await stack.enter_async_context(Member(http, "busy"))
        observer = await stack.enter_async_context(Member(http, "busy", "observer"))
        [scope] = await surgeon.publish([(MarkedTrack(), "Scope", "endoscope")])
        await observer.do("subscribe", publications=[scope])
        await (await observer.watch(scope)).frames(5)
        assert await asyncio.to_thread(server.stop) == 0
        closing = await observer.event("closing")
        assert (closing["reason"], closing["reconnect"]) == ("server_draining", True)
        await until(lambda: observer.socket.closed)
        assert observer.socket.close_code == 4430
    assert "Traceback" not in server.log.read_text()


def test_an_interrupt_in_a_terminal_ends_the_server_without_a_word_of_its_helpers(tmp_path: Path) -> None:
    key = tmp_path / "master.key"
    assert subprocess.run(loupe("master-key", str(key)), check=False).returncode == 0
    folder = tmp_path / "server"
    configuration = f'{CONFIGURATION}[recording]\nmaster_key_file = "{key}"\n'
    server = Server.start(folder, configuration=configuration, own_group=True)
    try:
        helpers = descendants(server.process.pid)
        assert helpers, "a recorder at least"
        # What a terminal does: all of the group that it shows are interrupted, those only just begun too.
        os.killpg(server.process.pid, signal.SIGINT)
        assert server.process.wait(20) == 0
        assert "Traceback" not in server.log.read_text()
        assert not any(map(is_running, helpers))
    finally:
        server.stop()


async def test_every_way_out_leaves_nothing(tmp_path: Path) -> None:
    server = Server.start(tmp_path)
    try:
        async with Client(server) as http:
            await each_way_out(http)

            async def empty() -> bool:
                return await standing(http) == {}

            await until(empty, 10, "nothing stands any more")
            assert (await http.room("ward"))["participants"] == []
    finally:
        assert server.stop() == 0
    assert "Traceback" not in server.log.read_text()


async def each_way_out(http: Client) -> None:
    """Leave, DELETE, a DTLS goodbye, removal by a moderator: in the order in which they hurt most."""
    async with Member(http, "ward", "moderator") as moderator:
        async with Member(http, "ward") as surgeon, publisher(VoiceTrack()) as encoder:
            scope, voice = await surgeon.publish(
                [(MarkedTrack(), "Scope", "endoscope"), (VoiceTrack(), "Voice", "microphone")]
            )
            whip = await encoder.accept(await http.whip("ward", await encoder.offer()))
            async with Member(http, "ward", "observer") as observer, viewer() as watcher:
                await observer.do("subscribe", publications=[scope, voice])
                await (await observer.watch(scope)).frames(3)
                await watcher.accept(await http.whep("ward", await watcher.offer()))
                await watcher.connected()
                await moderator.do("remove", participant=observer.id)
                await until(lambda: observer.socket.closed)
                assert observer.socket.close_code == 4412
            assert await whip.delete() == 200
            await surgeon.do("leave")
        await moderator.do("leave")


CYCLES, WARM_UP = 50, 15


@pytest.mark.timeout(180)
async def test_fifty_joins_cost_neither_memory_nor_descriptors(tmp_path: Path) -> None:
    server = Server.start(tmp_path)
    try:
        async with Client(server) as http, publisher(VoiceTrack()) as sender:
            await sender.accept(await http.whip("ward", await sender.offer()))
            await sender.connected()
            memory, descriptors = 0, 0
            for cycle in range(WARM_UP + CYCLES):
                if cycle == WARM_UP:
                    memory, descriptors = server.resident_bytes, server.descriptors
                async with Member(http, "ward", "observer") as member, viewer() as watcher:
                    session = await watcher.accept(await http.whep("ward", await watcher.offer()))
                    await watcher.connected()
                    assert await session.delete() == 200
                    await member.do("leave")
            assert (await http.metrics())['loupe_tracks{codec="opus",direction="in",kind="audio"}'] == 1
            # Python's allocator and glibc's keep what they once had: a leak of a session shows as megabytes.
            assert server.resident_bytes - memory < CYCLES * 40_000
            assert server.descriptors <= descriptors + 2
    finally:
        assert server.stop() == 0


async def test_the_token_command_prints_a_token_and_nothing_else(server: Server, http: Client) -> None:
    room = server.new_room()
    command = loupe("token", "--data", str(server.data), "--room", room, "--role", "staff")
    printed = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
    assert printed.stderr == ""
    token = printed.stdout.removesuffix("\n")
    assert len(token.split(".")) == 3
    assert not token.split("\n")[1:]
    async with publisher(VoiceTrack()) as sender:
        response = await http.post_offer(
            "whip", room, await sender.offer(), {"Authorization": f"Bearer {token}"}
        )
        assert response.status == 201
