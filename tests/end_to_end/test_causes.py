"""Ten faults, each really made in a room of the real server: operators are told at least nine causes rightly.

Nothing is claimed by the test: browsers tell their own statistics, and media, sockets, processes, processor
time, a TURN server and a disk are what they are in operation.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path as Folder

import pytest

from mediaserver.operations.model import Cause
from tests.end_to_end.engines import coturn
from tests.end_to_end.stage import AHEAD, RELAY_ONLY, Stage
from tests.end_to_end.stalling_proxy import proxied
from tests.end_to_end.verdict import Row, Verdict, row, table, told, verdict
from tests.impaired import Path
from tests.recording_room import RecordingServer, procedure
from tests.relay import relay
from tests.running import CONFIGURATION, Server

pytestmark = pytest.mark.slow


# ---- Ways ----


async def lossy_uplink(stage: Stage) -> Verdict:
    """A quarter of what the surgeon sends is lost."""
    surgeon = await stage.surgeon()
    await stage.watcher()
    await stage.well()
    assert surgeon.publishing is not None
    Path(surgeon.publishing).lost_up = 0.25
    return await verdict(stage.http, stage.room, "publisher_uplink")


async def lossy_downlink(stage: Stage) -> Verdict:
    """A quarter of what the observer is sent is lost."""
    await stage.surgeon()
    observer = await stage.watcher()
    await stage.well()
    assert observer.subscribing is not None
    Path(observer.subscribing).lost_down = 0.25
    return await verdict(stage.http, stage.room, "viewer_downlink")


async def stalled_socket(stage: Stage) -> Verdict:
    """The observer's WebSocket leads over a proxy that hangs; the media goes another way."""
    await stage.surgeon()
    with proxied(stage.http.server.url) as (url, proxy):
        await stage.watcher(url)
        await stage.well()
        os.kill(proxy, signal.SIGSTOP)
        try:
            return await verdict(stage.http, stage.room, "signalling")
        finally:
            os.kill(proxy, signal.SIGCONT)


LOSSY_AFTER_SECONDS, LOSSY_SECONDS = 60, 150
BURSTS = ",".join(
    f"{LOSSY_AFTER_SECONDS + tenths / 10}-{LOSSY_AFTER_SECONDS + tenths / 10 + 0.1}"
    for tenths in range(0, LOSSY_SECONDS * 10, 4)
)
"""A tenth of a second is lost of each four."""


async def lossy_turn(folder: Folder) -> Verdict:
    """A Chromium that may use nothing but coturn, behind a link that begins to lose bursts."""
    with coturn(folder / "coturn") as port, relay(port, ["--loss", f"gaps:{BURSTS}"]) as link:
        began = asyncio.get_running_loop().time()
        server = Server.start(
            folder,
            configuration=f"{CONFIGURATION}[[ice_servers]]\n"
            f'urls = ["turn:127.0.0.1:{link}?transport=udp"]\nusername = "loupe"\ncredential = "loupe"\n',
        )
        try:
            async with Stage.open(server, folder) as stage:
                await stage.surgeon()
                await stage.observer(RELAY_ONLY)
                await stage.well()
                left = began + LOSSY_AFTER_SECONDS - asyncio.get_running_loop().time()
                assert left > 0, "the fault began before the room was well"
                await asyncio.sleep(left)
                return await verdict(stage.http, stage.room, "relay")
        finally:
            server.stop()


# ---- Computers ----


async def slow_publisher(stage: Stage) -> Verdict:
    """The theatre's page, and so its encoders, get an eighth of a core."""
    engine, _ = await stage.theatre()
    await stage.observer()
    await stage.well()
    engine.starve(0.12)
    return await verdict(stage.http, stage.room, "publisher_device")


async def slow_viewer(stage: Stage) -> Verdict:
    """The observer's page, and so its decoder, get a twenty-fifth of a core."""
    await stage.theatre()
    engine, _ = await stage.observer()
    await stage.well()
    engine.starve(0.04)
    return await verdict(stage.http, stage.room, "viewer_device")


async def covered_lens(stage: Stage) -> Verdict:
    """The camera goes on, its picture is black; the probe of the server decodes it."""
    _, theatre = await stage.theatre()
    await stage.observer()
    await stage.well()
    await theatre.evaluate("window.lensCovered = true")
    return await verdict(stage.http, stage.room, "source_frozen")


async def wrong_clock(stage: Stage) -> Verdict:
    """The observer's clock jumps five minutes ahead."""
    await stage.surgeon()
    _, observer = await stage.observer(AHEAD)
    await stage.well()
    await observer.evaluate("window.aheadMs = 300_000")
    return await verdict(stage.http, stage.room, "clock")


# ---- The server ----


async def busy_server(stage: Stage) -> Verdict:
    """The server's process gets no processor time for half of each second."""
    await stage.surgeon()
    await stage.watcher()
    await stage.well()
    hindering = asyncio.create_task(hinder(stage.http.server.process.pid))
    try:
        return await verdict(stage.http, stage.room, "server_overload")
    finally:
        hindering.cancel()
        await asyncio.gather(hindering, return_exceptions=True)


async def hinder(process: int) -> None:
    """Until cancelled."""
    try:
        while True:
            os.kill(process, signal.SIGSTOP)
            await asyncio.sleep(0.5)
            os.kill(process, signal.SIGCONT)
            await asyncio.sleep(0.4)
    finally:
        os.kill(process, signal.SIGCONT)


async def full_disk(folder: Folder) -> Verdict:
    """The disk of a room that is recorded fills up."""
    with small_disk(folder / "disk") as disk:
        server = RecordingServer.begin(disk)
        try:
            async with Stage.open(server, folder) as stage:
                surgeon = await stage.surgeon()
                await stage.watcher()
                await surgeon.do("start_recording", procedure=await procedure(stage.http, stage.room))
                await stage.well()
                with (disk / "filler").open("wb") as filler:
                    os.posix_fallocate(filler.fileno(), 0, shutil.disk_usage(disk).free - 1024 * 1024)
                return await verdict(stage.http, stage.room, "recording_disk")
        finally:
            server.stop()


@contextlib.contextmanager
def small_disk(folder: Folder) -> Iterator[Folder]:
    """A file system of its own, just large enough that nobody is warned."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2200m", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


# ---- All of them ----

TOGETHER: tuple[tuple[Callable[[Stage], Awaitable[Verdict]], ...], ...] = (
    (lossy_uplink, lossy_downlink, stalled_socket),
    (wrong_clock,),
    (covered_lens,),
    (slow_publisher,),
    (slow_viewer,),
    (busy_server,),
)
"""One after the other, so that no fault's browsers want for processor time because of another's."""
ALONE: tuple[Callable[[Folder], Awaitable[Verdict]], ...] = (lossy_turn, full_disk)
"""With a server of its own."""


async def of_rooms(server: Server, folder: Folder, beside: list[Row]) -> AsyncIterator[Verdict]:
    """Faults on a common server; ``beside`` takes how a room without any stands after each."""

    async def staged(fault: Callable[[Stage], Awaitable[Verdict]]) -> Verdict:
        async with Stage.open(server, folder) as stage:
            return await fault(stage)

    async with Stage.open(server, folder) as healthy:
        await healthy.surgeon()
        await healthy.watcher()
        for faults in TOGETHER:
            for one in await asyncio.gather(*(staged(fault) for fault in faults)):
                yield one
            if busy_server not in faults:
                beside.append(await row(healthy.http, healthy.room))


async def test_at_least_nine_of_ten_faults_are_named(tmp_path: Folder) -> None:
    verdicts: list[Verdict] = []
    beside: list[Row] = []
    server = Server.start(tmp_path / "rooms")
    try:
        verdicts += [one async for one in of_rooms(server, tmp_path, beside)]
    finally:
        server.stop()
    for fault in ALONE:
        folder = tmp_path / fault.__name__
        folder.mkdir()
        verdicts.append(await fault(folder))
    print("\n" + table(verdicts))
    print("the room without a fault: " + "; ".join(told(one) for one in beside))
    causes: set[Cause] = {one.fault for one in verdicts}
    assert len(causes) == len(verdicts) == 10
    assert sum(one.right for one in verdicts) >= 9, table(verdicts)
    # A machine that is short of time for all of it may be told so, but nobody else's fault.
    assert all(one["state"] in ("good", "watch") for one in beside), beside
    assert not (causes - {"server_overload"}) & {
        found["cause"] for one in beside for found in one["findings"]
    }
