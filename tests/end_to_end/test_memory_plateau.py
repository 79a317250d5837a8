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

import pytest

from signalling.messages import MAX_SOURCES, MAX_SUBSCRIPTIONS
from tests.end_to_end.greed import Answers, Plan
from tests.media import MarkedTrack
from tests.member import Member
from tests.running import ROOT, Client, Server
from tests.signalling.offers import offer

SETTLING_SECONDS = 150.0
"""Rooms, sessions that never connect and rooms that empty have all been through their times by then."""
SECONDS = 600.0
ROOMS = 100_000
TRACKS = 10_000
SUBSCRIPTIONS = 10_000
SECTIONS = 32
REQUEST_SECONDS = 0.05
"""Between two messages of each of the two who share a socket: within what it may say."""
PLATEAU = 1.05


def many_sections(count: int) -> str:
    """An offer of so many pictures."""
    head = offer(audio=False).partition("a=group")[0]
    section = offer(audio=False).partition("m=")[2]
    sections = "".join(
        "m=" + section.replace("a=mid:0", f"a=mid:{mid}").replace("1111", str(1000 + mid))
        for mid in range(count)
    )
    return f"{head}a=group:BUNDLE {' '.join(map(str, range(count)))}\r\n{sections}"


def sources(count: int, label: str) -> list[dict[str, str]]:
    """What they show."""
    return [{"mid": str(mid), "label": label * 64, "source_type": "room"} for mid in range(count)]


async def publish_ever_more(member: Member, answers: Counter[str]) -> None:
    """As many sections as a description may have, and then as many as a member may, each time others."""
    attempts = (
        (SECTIONS, sources(SECTIONS, "x")),
        (SECTIONS, sources(MAX_SOURCES, "x")),
        (MAX_SOURCES, sources(MAX_SOURCES, "y")),
        (MAX_SOURCES, sources(MAX_SOURCES, "z")),
    )
    for sections, told in itertools.cycle(attempts):
        answer = await member.ask("publish", sdp=many_sections(sections), sources=told)
        answers[answer.get("code", answer["type"])] += sections
        await asyncio.sleep(REQUEST_SECONDS)


async def subscribe_ever_more(member: Member, real: str, answers: Counter[str]) -> None:
    """To what is there, to what is not, and to more than anybody may."""
    attempts = ([real], ["no-such-one"] * MAX_SUBSCRIPTIONS, [real] * (MAX_SUBSCRIPTIONS + 1))
    for wanted in itertools.cycle(attempts):
        answer = await member.ask("subscribe", publications=wanted)
        answers[answer.get("code", answer["type"])] += len(wanted)
        await asyncio.sleep(REQUEST_SECONDS)


@contextlib.asynccontextmanager
async def greedy_members(http: Client, room: str, answers: Answers) -> AsyncIterator[None]:
    """They were there before the server had all rooms it may have, and are answered to the end."""
    async with Member(http, room) as publisher, Member(http, room) as member:
        real, *_ = await publisher.publish([(MarkedTrack(), "Scope", "endoscope")])
        for kind in ("tracks", "subscriptions"):
            answers[kind] = Counter()
        asking = [
            asyncio.create_task(publish_ever_more(member, answers["tracks"])),
            asyncio.create_task(subscribe_ever_more(member, real, answers["subscriptions"])),
        ]
        yield
        for task in asking:
            assert not task.done(), task
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)


async def sizes_under_greed(server: Server, room: str, answers: Answers) -> list[tuple[float, int]]:
    """Resident memory of the server every two seconds, while the greedy of another process ask."""
    plan = Plan(server.url, str(server.data), room, ROOMS)
    greed = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.end_to_end.greed",
        cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert greed.stdin is not None
    assert greed.stdout is not None
    greed.stdin.write(json.dumps(asdict(plan)).encode() + b"\n")
    output = asyncio.create_task(greed.stdout.read())
    begun, sizes = time.monotonic(), list[tuple[float, int]]()
    while not output.done():
        assert server.process.poll() is None
        sizes.append((time.monotonic() - begun, server.resident_bytes))
        if sizes[-1][0] >= SETTLING_SECONDS + SECONDS:
            greed.stdin.close()
        await asyncio.wait({output}, timeout=2)
    assert await greed.wait() == 0
    answers |= {kind: Counter(counts) for kind, counts in json.loads(output.result()).items()}
    return sizes


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(1800)
async def test_memory_stands_still_under_greed(tmp_path: Path) -> None:
    """Everything as shipped: no limit is another."""
    server, answers = Server.start(tmp_path, configuration=""), Answers()
    try:
        room = server.new_room()
        async with Client(server) as http, greedy_members(http, room, answers):
            sizes = await sizes_under_greed(server, room, answers)
    finally:
        assert server.stop() == 0
    for elapsed, size in sizes[::15]:
        print(f"{elapsed:.0f} s: {size / 1e6:.1f} MB")
    print(answers)
    check_answers(answers)
    settled = [size for elapsed, size in sizes if elapsed >= SETTLING_SECONDS]
    lowest, highest = min(settled), max(settled)
    print(f"{lowest / 1e6:.1f} to {highest / 1e6:.1f} MB")
    assert highest <= PLATEAU * lowest


def check_answers(answers: Answers) -> None:
    """Each was refused at its documented limit, by what names it."""
    expected = {
        "rooms": {"201", "429"},
        "tracks": {"malformed_message", "malformed_sdp", "published_answer"},
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
    assert answers["rooms"]["429"], "a limit that nobody met refuses nobody"
    assert answers["rooms"].total() >= ROOMS
    assert answers["tracks"]["published_answer"] >= TRACKS
    assert answers["subscriptions"].total() >= SUBSCRIPTIONS
