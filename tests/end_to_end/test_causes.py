"""Ten faults, each made in a room of the real server: operators must be told at least nine causes rightly.

What a browser would say of its own machine (an encoder short of processor time, a slow decoder, a relayed
path, a wrong clock) is said by the test over the real protocol; everything else is done to real media,
sockets, processes and disks.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path as Folder
from typing import Any

import pytest

from mediaserver.policy import Role
from tests.impaired import Path
from tests.media import MarkedTrack
from tests.member import Member
from tests.running import Client, Server, until

pytestmark = pytest.mark.slow

PATIENCE_SECONDS = 25.0


class StoppingTrack(MarkedTrack):
    """A camera that can be made to give no more frames, its cable still in."""

    def __init__(self) -> None:
        super().__init__()
        self.flows = asyncio.Event()
        self.flows.set()

    async def recv(self) -> Any:
        await self.flows.wait()
        return await super().recv()


class Scene:
    """A room with a surgeon who sends and an observer who watches, both telling their statistics."""

    def __init__(self, http: Client, surgeon: Member, observer: Member) -> None:
        self.http, self.surgeon, self.observer = http, surgeon, observer
        self.track = StoppingTrack()
        self.publication = ""
        self.source: dict[str, Any] = {"captured_per_second": 15, "encoded_per_second": 15, "encode_ms": 5}
        self.view: dict[str, Any] = {"frames_per_second": 15, "decode_ms": 4, "dropped": 0}
        self.relayed = False
        self.ahead_ms = 0

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, http: Client) -> AsyncIterator[Scene]:
        room = http.server.new_room()
        async with Member(http, room, Role.SURGEON) as surgeon, Member(http, room, Role.OBSERVER) as observer:
            scene = cls(http, surgeon, observer)
            (scene.publication,) = await surgeon.publish([(scene.track, "Scope", "endoscope")])
            await observer.do("subscribe", publications=[scene.publication])
            await (await observer.watch(scene.publication)).frames(5)
            telling = asyncio.create_task(scene._tell())
            try:
                yield scene
            finally:
                telling.cancel()
                scene.track.flows.set()

    async def _tell(self) -> None:
        while True:
            clock = {"clock_ms": int(time.time() * 1000) + self.ahead_ms}
            link = {"round_trip_ms": 1, "relayed": self.relayed}
            source = {"publication": self.publication, **self.source}
            view = {"publication": self.publication, **self.view}
            with contextlib.suppress(ConnectionError):
                await self.surgeon.socket.send_json(
                    {"type": "statistics", "id": 0, **clock, "publish": link, "sources": [source]}
                )
            await self.observer.do("statistics", **clock, subscribe=link, views=[view])
            await asyncio.sleep(2)

    async def row(self) -> dict[str, Any]:
        headers = self.http.server.bearer("*", Role.OPERATOR)
        response = await self.http.request("GET", "/api/v1/operations/board", headers=headers)
        rows: list[dict[str, Any]] = (await response.json())["rows"]
        return next(row for row in rows if row["room"] == self.surgeon.room)

    async def named(self, cause: str) -> bool:
        """Whether the board comes to name this cause before any other."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            row = await self.row()
            if row["cause"] is not None:
                return bool(row["cause"]["cause"] == cause)
            await asyncio.sleep(0.25)
        return False


def lossy_uplink(scene: Scene) -> None:
    assert scene.surgeon.publishing is not None
    Path(scene.surgeon.publishing).lost_up = 0.25


def lossy_downlink(scene: Scene) -> None:
    assert scene.observer.subscribing is not None
    Path(scene.observer.subscribing).lost_down = 0.25


def lossy_relay(scene: Scene) -> None:
    scene.relayed = True
    lossy_downlink(scene)


def slow_encoder(scene: Scene) -> None:
    scene.source = {
        "captured_per_second": 25, "encoded_per_second": 9, "encode_ms": 90, "limited_by": "cpu",
    }  # fmt: skip


def slow_decoder(scene: Scene) -> None:
    scene.view = {"frames_per_second": 8, "decode_ms": 110, "dropped": 0.4, "freezes": 2, "freeze_ms": 900}


def stopped_camera(scene: Scene) -> None:
    scene.track.flows.clear()


def lost_socket(scene: Scene) -> None:
    scene.observer.drop()


def wrong_clock(scene: Scene) -> None:
    scene.ahead_ms = 5 * 60 * 1000


FAULTS: dict[str, Callable[[Scene], None]] = {
    "publisher_uplink": lossy_uplink,
    "publisher_device": slow_encoder,
    "source_frozen": stopped_camera,
    "viewer_downlink": lossy_downlink,
    "viewer_device": slow_decoder,
    "relay": lossy_relay,
    "signalling": lost_socket,
    "clock": wrong_clock,
}


async def of_rooms(server: Server) -> dict[str, bool]:
    """Each fault in a room of its own, all at once, beside a room without."""
    async with contextlib.AsyncExitStack() as stack:
        http = await stack.enter_async_context(Client(server))
        scenes = {cause: await stack.enter_async_context(Scene.open(http)) for cause in FAULTS}
        healthy = await stack.enter_async_context(Scene.open(http))

        async def well() -> bool:
            states = {(await scene.row())["state"] for scene in scenes.values()}
            return states == {"good"}

        await asyncio.sleep(5)
        await until(well, 20, "rooms without a finding")
        for cause, scene in scenes.items():
            FAULTS[cause](scene)
        found = await asyncio.gather(*(scene.named(cause) for cause, scene in scenes.items()))
        assert (await healthy.row())["state"] == "good"
        return dict(zip(scenes, found, strict=True))


async def of_overload(server: Server) -> bool:
    """The server's process gets no processor time for half of each second."""
    async with Client(server) as http, Scene.open(http) as scene:
        await asyncio.sleep(3)
        hindering = asyncio.create_task(hinder(server.process.pid))
        try:
            return await scene.named("server_overload")
        finally:
            hindering.cancel()
            await asyncio.gather(hindering, return_exceptions=True)


async def hinder(process: int) -> None:
    try:
        while True:
            os.kill(process, signal.SIGSTOP)
            await asyncio.sleep(0.5)
            os.kill(process, signal.SIGCONT)
            await asyncio.sleep(0.4)
    finally:
        os.kill(process, signal.SIGCONT)


async def of_disk(server: Server) -> bool:
    """The data folder's disk fills up."""
    usage = shutil.disk_usage(server.data)
    with (server.data / "filler").open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, usage.free - 50 * 1024 * 1024)
    async with Client(server) as http:
        headers = server.bearer("*", Role.OPERATOR)

        async def alerted() -> bool:
            response = await http.request("GET", "/api/v1/operations/alerts?open=true", headers=headers)
            alerts = (await response.json())["alerts"]
            return [(one["cause"]["cause"], one["room"]) for one in alerts] == [("recording_disk", None)]

        await until(alerted, PATIENCE_SECONDS, "an alert about the disk")
        return True


@contextlib.contextmanager
def small_disk(folder: Folder) -> Iterator[Folder]:
    """A file system of its own."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300m", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


async def test_at_least_nine_of_ten_faults_are_named(tmp_path: Folder) -> None:
    found: dict[str, bool] = {}
    with small_disk(tmp_path / "disk") as disk:
        steps: list[tuple[Folder, Callable[[Server], Awaitable[dict[str, bool] | bool]], str]] = [
            (tmp_path / "rooms", of_rooms, ""),
            (tmp_path / "busy", of_overload, "server_overload"),
            (disk / "server", of_disk, "recording_disk"),
        ]
        for folder, step, cause in steps:
            server = Server.start(folder)
            try:
                named = await step(server)
                found |= named if isinstance(named, dict) else {cause: named}
            finally:
                server.stop()
    assert len(found) == 10
    wrong = [cause for cause, right in found.items() if not right]
    assert len(wrong) <= 1, wrong
