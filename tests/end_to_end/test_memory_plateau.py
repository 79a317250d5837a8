"""Authorised users who for ten minutes want more of everything than anybody may have (06-reliability W13)."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from mediaserver.policy import Role
from signalling.messages import MAX_SOURCES, MAX_SUBSCRIPTIONS, PROTOCOL
from tests.abusers import Assault
from tests.media import MarkedTrack
from tests.member import Member
from tests.running import ROOT, Client, Server
from tests.signalling.offers import offer

SETTLING_SECONDS = 150.0
"""Rooms, sessions that never connect and rooms that empty have all been through their times by then."""
SECONDS = 600.0
ROOMS = 100_000
SHARES = 32
"""So many at once."""
TRACKS = 10_000
SUBSCRIPTIONS = 10_000
METADATA_BYTES = 1_000_000
SECTIONS = 32
REQUEST_SECONDS = 0.05
"""Between two messages of each of the two who share a socket: within what it may say."""
PLATEAU = 1.05


class Greed:
    """What was asked for, and how it was answered."""

    def __init__(self, http: Client, room: str) -> None:
        self.http = http
        self.room = room
        self.answers: dict[str, Counter[str]] = {}

    def note(self, kind: str, answer: object, count: int = 1) -> None:
        """Counts it."""
        self.answers.setdefault(kind, Counter())[str(answer)] += count

    async def rooms(self, share: int) -> None:
        """Publishes once into each of very many rooms, and never connects."""
        for number in range(share, ROOMS, SHARES):
            room = f"greed-{number}"
            response = await self.http.post_offer("whip", room, offer(), self.http.server.bearer(room))
            self.note("rooms", response.status)

    @property
    def rooms_done(self) -> bool:
        """All were asked for."""
        return self.answers.get("rooms", Counter()).total() >= ROOMS

    async def tracks(self, member: Member) -> None:
        """Publishes as many sections as a description may have, again and again."""
        section = offer(audio=False).partition("m=")[2]
        sections = "".join(
            "m=" + section.replace("a=mid:0", f"a=mid:{mid}").replace("1111", str(1000 + mid))
            for mid in range(SECTIONS)
        )
        head = offer(audio=False).partition("a=group")[0]
        sdp = f"{head}a=group:BUNDLE {' '.join(map(str, range(SECTIONS)))}\r\n{sections}"
        sources = [{"mid": str(mid), "label": "x" * 64, "source_type": "room"} for mid in range(SECTIONS)]
        for told in itertools.islice(
            itertools.cycle([sources, sources[:MAX_SOURCES]]), TRACKS // SECTIONS + 1
        ):
            answer = await member.ask("publish", sdp=sdp, sources=told)
            self.note("tracks", answer.get("code", answer["type"]), SECTIONS)
            await asyncio.sleep(REQUEST_SECONDS)

    async def subscriptions(self, member: Member, real: str) -> None:
        """Subscribes to what is there, to what is not, and to more than anybody may."""
        lists = itertools.cycle(
            [[real], ["no-such-one"] * MAX_SUBSCRIPTIONS, [real] * (MAX_SUBSCRIPTIONS + 1)]
        )
        asked = 0
        while asked < SUBSCRIPTIONS:
            wanted = next(lists)
            answer = await member.ask("subscribe", publications=wanted)
            self.note("subscriptions", answer.get("code", answer["type"]), len(wanted))
            asked += len(wanted)
            await asyncio.sleep(REQUEST_SECONDS)

    async def metadata(self) -> None:
        """A name of a megabyte, said by socket and by HTTP."""
        name = "ế" * (METADATA_BYTES // 3)
        socket = await self.http.session.ws_connect(f"{self.http.server.url}/ws", protocols=(PROTOCOL,))
        # The server closes while this is still on its way.
        with contextlib.suppress(ConnectionError):
            await socket.send_json(
                {"type": "join", "id": 0, "token": self.http.server.token(self.room), "name": name}
            )
        while (message := await socket.receive()).type is aiohttp.WSMsgType.TEXT:
            pass
        self.note("metadata by socket", socket.close_code or message.type.name)
        headers = self.http.server.bearer(self.room, Role.STAFF)
        try:
            response = await self.http.post_offer("whip", self.room, "v" * METADATA_BYTES, headers)
            self.note("metadata by HTTP", response.status)
        except aiohttp.ClientError:
            self.note("metadata by HTTP", "reset")

    async def deaf(self) -> None:
        """A room that talks all the time, and members who never read."""
        server, room = self.http.server, self.room
        plan = Assault(
            port=int(server.url.rsplit(":", 1)[1]),
            room=room,
            silent=50,
            slow=0,
            large=5,
            flooders=[server.token(room, "staff")],
            fragmenters=[],
            deaf=[server.token(room, "observer") for _ in range(2)],
            speakers=[server.token(room, "staff") for _ in range(2)],
            publisher=server.token(room, "surgeon"),
        )
        abusers = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.abusers",
            cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            outcomes: dict[str, Any] = json.loads(
                (await abusers.communicate(json.dumps(asdict(plan)).encode()))[0]
            )
        finally:
            with contextlib.suppress(ProcessLookupError):
                abusers.kill()
        for kind, outcome in outcomes.items():
            for end, count in outcome["ends"].items():
                self.note(kind, end, count)


@contextlib.asynccontextmanager
async def greedy(http: Client) -> AsyncIterator[Greed]:
    """All of them at once, in a room that was there before the server had all rooms it may have."""
    room = http.server.new_room()
    greed = Greed(http, room)

    async def again(member: Member, real: str) -> None:
        while True:
            await asyncio.gather(
                greed.tracks(member), greed.subscriptions(member, real), greed.metadata(), greed.deaf()
            )

    async with Member(http, room) as publisher, Member(http, room) as member:
        real, *_ = await publisher.publish([(MarkedTrack(), "Scope", "endoscope")])
        tasks = [asyncio.create_task(greed.rooms(share)) for share in range(SHARES)]
        tasks.append(asyncio.create_task(again(member, real)))
        yield greed
        for task in tasks:
            if task.done():
                task.result()
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(1800)
async def test_memory_stands_still_under_greed(tmp_path: Path) -> None:
    server = Server.start(tmp_path)
    try:
        async with Client(server) as http, greedy(http) as greed:
            begun, samples = time.monotonic(), list[tuple[float, int]]()
            while (elapsed := time.monotonic() - begun) < SETTLING_SECONDS + SECONDS or not greed.rooms_done:
                samples.append((elapsed, server.resident_bytes))
                assert server.process.poll() is None
                await asyncio.sleep(2)
        settled = [size for elapsed, size in samples if elapsed >= SETTLING_SECONDS]
        for elapsed, size in samples[::15]:
            print(f"{elapsed:.0f} s: {size / 1e6:.1f} MB")
        print(greed.answers)
        half = len(settled) // 2
        assert max(settled[half:]) <= PLATEAU * max(settled[:half])
    finally:
        assert server.stop() == 0
    check(greed.answers)


def check(answers: dict[str, Counter[str]]) -> None:
    """Each was refused at its documented limit, by what names it."""
    expected = {
        "rooms": {"201", "429"},
        "tracks": {"limit_reached", "malformed_message"},
        "subscriptions": {"ok", "limit_reached", "malformed_message"},
        "metadata by socket": {"1009"},
        "metadata by HTTP": {"413", "reset"},
        "large": {"413", "reset"},
        "flood": {"1008"},
        "silent": {"closed", "reset"},
        "deaf": {"told of"},
        "speaker": {"heard out"},
    }
    for kind, ends in expected.items():
        assert set(answers[kind]) <= ends, f"{kind}: {answers[kind]}"
    assert answers["rooms"].total() == ROOMS
    assert answers["tracks"].total() >= TRACKS
    assert answers["subscriptions"].total() >= SUBSCRIPTIONS
