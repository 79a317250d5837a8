"""The whole probe: a real publisher, the real tap, the process, and what operators are told."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import structlog.testing

from mediaserver.clinical import ClinicalClass
from mediaserver.operations.model import PictureReading, PictureWatch
from mediaserver.participant import Participant
from mediaserver.policy import Role
from mediaserver.quality import control
from mediaserver.quality.control import PictureProbe
from mediaserver.recording.records import RecordKind, scan
from signalling.demo.marks import Mark, Picture
from signalling.demo.pictures import Endoscope
from signalling.demo.tracks import DrawnTrack
from tests.media import publisher
from tests.mediaserver.peers import identity, make_server, publish
from tests.running import until
from tests.signalling.conftest import House, house, open_house

__all__ = ["house", "open_house"]


class Camera:
    """An endoscope whose lamp a test switches off."""

    def __init__(self) -> None:
        self.lit = True
        self._scope = Endoscope(640, 360)

    def draw(self, seconds: float, mark: Mark) -> Picture:
        if self.lit:
            return self._scope.draw(seconds, mark)
        return np.zeros((360, 640, 3), np.uint8)


@pytest.fixture
async def camera(house: House) -> AsyncIterator[Camera]:
    """Published by WHIP; its publication is the room's only one."""
    made = Camera()
    async with publisher(DrawnTrack(made.draw, 15)) as peer:
        headers = {**house.bearer("staff"), "Content-Type": "application/sdp"}
        async with house.http.post(
            f"{house.url}/whip/7QK2", data=await peer.offer(), headers=headers
        ) as response:
            answer = await response.text()
            assert response.status == 201, answer
        from aiortc import RTCSessionDescription

        await peer.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await peer.connected()
        yield made


async def test_a_lamp_that_goes_out_is_told_and_the_probe_outlives_its_process(
    house: House, camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "PAUSE_SECONDS", 0.1)
    monkeypatch.setattr(control, "SYNC_SECONDS", 0.2)
    told: list[tuple[str, PictureReading | None]] = []
    probe = PictureProbe(house.server.registry, lambda id, verdict: told.append((id, verdict)))
    running = asyncio.create_task(probe.run())
    room = next(iter(house.server.rooms.values()))
    publication = next(iter(room.publications.values()))

    async def keyframes() -> None:
        while True:
            house.server.registry.plane.request_keyframe(publication.handle)
            await asyncio.sleep(1.1)

    asking = asyncio.create_task(keyframes())
    try:
        await until(lambda: probe.pid is not None, 10, "the process")
        camera.lit = False
        await until(lambda: (publication.id, "black") in told, 30, "the verdict")
        assert probe.pid is not None
        os.kill(probe.pid, signal.SIGKILL)
        await until(lambda: told[-1] == (publication.id, "not_watched"), 10, "word that nobody looks")
        await until(lambda: probe.starts == 2, 10, "another process")
        told.clear()
        await until(lambda: (publication.id, "black") in told, 30, "the verdict again")
        camera.lit = True
        await until(lambda: told[-1] == (publication.id, None), 30, "all is well")
        # What is recorded is looked at all the same.
        recorder, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        house.server.registry.plane.tap(publication.handle, "recorder", theirs.fileno())
        theirs.close()
        camera.lit = False
        await until(lambda: told[-1] == (publication.id, "black"), 30, "the verdict beside a recorder")
        kinds = set()
        with recorder, contextlib.suppress(BlockingIOError):
            while True:
                message = recorder.recv(1 << 17, socket.MSG_DONTWAIT)
                kinds |= {record.kind for record in scan(message)}
        assert RecordKind.PACKET in kinds
        assert RecordKind.ENDED not in kinds
    finally:
        for task in (asking, running):
            task.cancel()
        await asyncio.gather(asking, running, return_exceptions=True)
    assert probe.pid is None


async def test_a_surgery_takes_the_place_of_teaching_and_gives_it_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(control, "MAX_SOURCES", 1)
    server = make_server()
    await server.start()
    told: dict[str, PictureReading | None] = {}
    probe = PictureProbe(server.registry, told.__setitem__)
    probe._control, process = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    async def begun(room: str, clinical: ClinicalClass) -> tuple[Participant, str]:
        who = replace(identity(Role.SURGEON, room), clinical_class=clinical)
        surgeon = server.join(who, "")
        picture = (await publish(server, surgeon))["1"]
        probe.sync()
        return surgeon, picture

    with process, probe._control:
        _, lesson = await begun("a", ClinicalClass.TEACHING)
        assert (list(probe._watched), told) == ([lesson], {})
        _, later_lesson = await begun("b", ClinicalClass.TEACHING)
        assert (list(probe._watched), told) == ([lesson], {later_lesson: "not_watched"})
        surgeon, operation = await begun("c", ClinicalClass.SURGERY)
        assert list(probe._watched) == [operation]
        assert told == {lesson: "not_watched", later_lesson: "not_watched"}
        server.leave(surgeon)
        probe.sync()
        assert list(probe._watched) == [lesson]
        assert told == {lesson: None, later_lesson: "not_watched", operation: None}
        asked = [json.loads(process.recv(4096)) for _ in range(5)]
    await server.stop()
    assert [(one["do"], one["publication"]) for one in asked] == [
        ("watch", lesson),
        ("forget", lesson),
        ("watch", operation),
        ("forget", operation),
        ("watch", lesson),
    ]


async def test_every_source_of_fifty_rooms_is_watched_and_it_is_told_how_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1_000.0
    monkeypatch.setattr("mediaserver.quality.control.time.time", lambda: now)
    server = make_server()
    await server.start()
    told: dict[str, PictureReading | None] = {}
    probe = PictureProbe(server.registry, told.__setitem__)
    probe._control, process = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with process, probe._control:
        for number in range(50):
            await publish(server, server.join(identity(Role.SURGEON, f"room{number}"), ""))
        probe.sync()
        watched = list(probe._watched)
        assert probe.figures() == PictureWatch(sources=50, watched=50, look_seconds=None, thumbnails=False)
        assert told == {}
        for apart in (10.0, 20.0):
            for publication in watched[:2]:
                probe._heard({"publication": publication, "decoding": True})
                probe._heard({"publication": publication, "decoding": False})
            now += apart
        assert probe.figures().look_seconds == 10.0
        assert probe.looked_ms(watched[0]) == 1_010_000
        assert probe.looked_ms(watched[2]) is None
        assert probe.looks_begun == 4
        probe._forget(watched[0])
        assert probe.looked_ms(watched[0]) is None
    await server.stop()


async def test_a_source_that_kills_the_probe_is_left_alone_and_others_are_watched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a process that dies of whatever it is to watch of the first publication."""
    monkeypatch.setattr(control, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(control, "SYNC_SECONDS", 0.01)
    server = make_server()
    await server.start()
    told: dict[str, PictureReading | None] = {}
    probe = PictureProbe(server.registry, told.__setitem__)
    surgeon = server.join(identity(Role.SURGEON, "a"), "")
    deadly = (await publish(server, surgeon))["1"]
    colleague = server.join(identity(Role.SURGEON, "b"), "")
    harmless = (await publish(server, colleague))["1"]

    async def one() -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        process = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE)
        with ours, theirs:
            attending = asyncio.create_task(probe._attend(process, ours))
            await until(lambda: len(probe._watched) > 0, what="the first sync")
            if deadly in probe._watched:
                theirs.send(json.dumps({"publication": deadly, "decoding": True}).encode())
                theirs.close()
            await attending

    monkeypatch.setattr(probe, "_one", one)
    running = asyncio.create_task(probe.run())
    try:
        await until(lambda: probe.starts == 3 and harmless in probe._watched, what="the third probe")
        assert list(probe._watched) == [harmless]
        assert (told[deadly], told[harmless], probe.unwatched) == ("not_watched", None, {"deadly": 1})
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    await server.stop()


async def test_one_that_cannot_be_started_is_tried_again(
    house: House, camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert camera.lit
    monkeypatch.setattr(control, "PAUSE_SECONDS", 0.05)
    python = sys.executable
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    probe = PictureProbe(house.server.registry, lambda *_: None)
    running = asyncio.create_task(probe.run())
    try:
        with structlog.testing.capture_logs() as lines:
            await until(lambda: len(lines) >= 2, 10, "two attempts")
        assert {line["event"] for line in lines} == {"the picture probe failed and is started again"}
        monkeypatch.setattr(sys, "executable", python)
        await until(lambda: probe.pid is not None, 10, "the process")
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def processor_seconds(pid: int) -> float:
    """That a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.slow
async def test_it_costs_at_most_three_hundredths_of_a_core_a_source(house: House, camera: Camera) -> None:
    assert camera.lit
    probe = PictureProbe(house.server.registry, lambda *_: None)
    running = asyncio.create_task(probe.run())
    try:
        await until(lambda: probe.pid is not None and bool(probe._watched), 10, "the process")
        await asyncio.sleep(3)
        assert probe.pid is not None
        before, begun = processor_seconds(probe.pid), time.monotonic()
        await asyncio.sleep(25)
        share = (processor_seconds(probe.pid) - before) / (time.monotonic() - begun)
        print(f"the probe takes {share:.4f} of a core for one source")
        assert share <= 0.03
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
