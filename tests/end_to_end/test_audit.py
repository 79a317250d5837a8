"""The audit of a running server: who watched what is in it, and a database that is stuck ends no session."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
from typing import Any

from mediaserver.policy import Role
from tests.media import MarkedTrack
from tests.member import Member, about
from tests.running import Client, loupe, until


async def records(http: Client, room: str) -> list[dict[str, Any]]:
    """What the audit holds of a room, as an auditor reads it."""
    url = f"{http.server.url}/api/v1/audit?limit=1000&room={room}"
    async with http.session.get(url, headers=http.server.bearer("*", Role.AUDITOR)) as response:
        assert response.status == 200
        found: list[dict[str, Any]] = (await response.json())["records"]
        return found


async def until_told(http: Client, room: str, event: str, count: int = 1) -> list[dict[str, Any]]:
    """The records of this event, once there are as many."""
    async with asyncio.timeout(15):
        while True:
            found = [one for one in await records(http, room) if one["event"] == event]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.1)


async def test_who_watched_which_source_from_when_to_when(http: Client) -> None:
    room = http.server.new_room()
    async with Member(http, room) as surgeon, Member(http, room, "observer") as observer:
        scope, overhead = await surgeon.publish(
            [(MarkedTrack(), "Scope", "endoscope"), (MarkedTrack(), "Overhead", "overhead")]
        )
        await observer.event("published", about("publication", id=scope))
        await observer.do("subscribe", publications=[scope])
        await (await observer.watch(scope)).frames(5)
        assert (await observer.ask("chat", text="x"))["code"] == "not_permitted"
        await observer.do("prefer", publication=scope, paused=True)
        await until_told(http, room, "view.stop")
        await observer.do("prefer", publication=scope, paused=False)
        await until_told(http, room, "view.start", 2)
        await observer.do("leave")
        stops = await until_told(http, room, "view.stop", 2)
        await surgeon.do("leave")
        await until_told(http, room, "participant.leave", 2)
    told = await records(http, room)
    of_observer = [one["event"] for one in told if one["actor"] == observer.id]
    assert of_observer == [
        "participant.admit", "view.start", "access.deny", "view.stop", "view.start", "view.stop",
        "participant.leave",
    ]  # fmt: skip
    for stop in stops:
        assert (stop["subject"], stop["role"]) == (scope, "observer")
        assert stop["details"]["source_type"] == "endoscope"
        assert stop["details"]["publisher"] == surgeon.id
        assert 0 <= stop["details"]["seconds"] < 30
    published = [one["subject"] for one in told if one["event"] == "publish.start"]
    assert published == [scope, overhead]
    assert sorted(one["subject"] for one in told if one["event"] == "publish.stop") == sorted(published)
    assert {one["address_class"] for one in told if one["event"] == "participant.admit"} == {"loopback"}
    verified = await asyncio.to_thread(
        subprocess.run,
        loupe("audit", "verify", "--data", str(http.server.data)),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert verified.returncode == 0, verified.stderr
    assert verified.stdout.startswith("intact: ")


async def test_a_stuck_database_ends_no_session_and_loses_no_record(http: Client) -> None:
    room = http.server.new_room()
    async with Member(http, room) as surgeon:
        [scope] = await surgeon.publish([(MarkedTrack(), "Scope", "endoscope")])
        await until_told(http, room, "publish.start")
        stuck = sqlite3.connect(http.server.data / "loupe.db", isolation_level=None)
        stuck.execute("BEGIN EXCLUSIVE")
        async with Member(http, room, "observer") as observer:
            await observer.do("subscribe", publications=[scope])
            watch = await observer.watch(scope)
            await watch.frames(10)
            # Longer than SQLite waits for a lock: writes fail meanwhile, and nobody in the room notices.
            before = len(watch.seen)
            await until(lambda: writes_fail(http), 20, "a failed write")
            assert len(watch.seen) > before + 10
            assert (await observer.ask("ping"))["type"] == "pong"
            stuck.execute("ROLLBACK")
            stuck.close()
            started = await until_told(http, room, "view.start")
        stopped = await until_told(http, room, "view.stop")
    assert [one["actor"] for one in (*started, *stopped)] == [observer.id] * 2


async def writes_fail(http: Client) -> bool:
    """The server counted a write that failed, and holds what it could not write."""
    numbers = await http.metrics()
    return numbers['loupe_database_writes_total{outcome="failed"}'] > 0 and numbers["loupe_audit_waiting"] > 0
