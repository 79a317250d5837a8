"""Webhooks against a real receiver: signed, tried again, kept over a restart, never redirected."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook as Signer

from mediaserver.alerts import webhooks
from mediaserver.alerts.webhooks import Webhooks
from mediaserver.cause.texts import CAUSES
from mediaserver.clinical import ClinicalClass
from mediaserver.config import Alerts as AlertSettings
from mediaserver.operations.model import Alert, Severity
from mediaserver.quality_history.database import Database
from mediaserver.quality_history.store import SCHEMA, VERSION
from tests.mediaserver.seconds import ROOMS
from tests.running import until

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


def alert(id: str = "alert-1", severity: Severity = "hurt") -> Alert:
    return Alert(
        id=id,
        room="theatre-1",
        clinical_class=ClinicalClass.SURGERY,
        cause=CAUSES["viewer_downlink"],
        severity=severity,
        participant="p",
        evidence=(),
        raised_ms=1,
        cleared_ms=None,
    )


@dataclass
class Receiver:
    """Answers with what ``statuses`` says, then 204; keeps what came."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    came: list[tuple[dict[str, str], str]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.came.append((dict(request.headers), await request.text()))
        status = self.statuses.pop(0) if self.statuses else 204
        return web.Response(status=status, headers={"Location": "/elsewhere"} if status == 302 else {})


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    made = Receiver()
    application = web.Application()
    application.router.add_post("/{any:.*}", made.take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield made
    await runner.cleanup()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


class Clock:
    def __init__(self) -> None:
        self.ms = 1_800_000_000_000

    def __call__(self) -> int:
        return self.ms


@contextlib.asynccontextmanager
async def sender(
    folder: Path,
    url: str,
    clock: Clock,
    networks: tuple[str, ...] = ("127.0.0.0/8",),
    others: tuple[str, ...] = (),
) -> AsyncIterator[Webhooks]:
    database = Database(folder / "history.db", SCHEMA, VERSION, ROOMS)
    database.start()
    settings = AlertSettings.model_validate(
        {
            "webhooks": [{"url": one, "secret": SECRET} for one in (url, *others)],
            "allowed_networks": networks,
        }
    )
    made = Webhooks(settings, database, clock)
    made.load()
    running = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await asyncio.to_thread(database.stop)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "LOOK_SECONDS", 0.01)


async def test_a_receiver_can_verify_what_it_gets(tmp_path: Path, receiver: Receiver) -> None:
    import time

    clock = Clock()
    clock.ms = int(time.time() * 1000)  # the receiver refuses what is older than five minutes
    async with sender(tmp_path, receiver.url, clock) as made:
        made.tell(alert(), "raised")
        await until(lambda: made.results["delivered"] == 1)
    headers, body = receiver.came[0]
    verified: Any = Signer(SECRET).verify(body, {name.lower(): value for name, value in headers.items()})
    assert verified["type"] == "alert.raised"
    assert verified["data"]["cause"]["cause"] == "viewer_downlink"
    assert made.waiting == 0


async def test_what_is_not_taken_is_tried_again_later_and_not_before(
    tmp_path: Path, receiver: Receiver
) -> None:
    clock = Clock()
    receiver.statuses = [500, 302]
    async with sender(tmp_path, receiver.url, clock) as made:
        made.tell(alert(), "raised")
        await until(lambda: made.results["failed"] == 1)
        await asyncio.sleep(0.1)
        assert len(receiver.came) == 1
        clock.ms += webhooks.BACKOFF_SECONDS[0] * 1000
        await until(lambda: made.results["failed"] == 2)
        clock.ms += webhooks.BACKOFF_SECONDS[1] * 1000
        await until(lambda: made.results["delivered"] == 1)
    ids = {headers["webhook-id"] for headers, _ in receiver.came}
    assert ids == {"alert-1.raised.hurt"}
    # A redirect was an answer, not a way.
    assert len(receiver.came) == 3


async def test_a_restart_takes_up_what_was_left(tmp_path: Path, receiver: Receiver) -> None:
    clock = Clock()
    receiver.statuses = [503]
    async with sender(tmp_path, receiver.url, clock) as made:
        made.tell(alert(), "cleared")
        await until(lambda: made.results["failed"] == 1)
        await made._database.flush()
        [(body,)] = await made._database.read("SELECT body FROM delivery")
        assert b"theatre" not in body, "a room's name may say whom it is about"
    clock.ms += 3600_000
    async with sender(tmp_path, receiver.url, clock) as again:
        await until(lambda: again.results["delivered"] == 1)
        await again._database.flush()
        assert await again._database.read("SELECT count(*) FROM delivery") == [(0,)]
    assert receiver.came[0][1] == receiver.came[1][1]


async def test_a_day_is_enough_and_gone_is_gone(tmp_path: Path, receiver: Receiver) -> None:
    clock = Clock()
    receiver.statuses = [410, 500, 500]
    async with sender(tmp_path, receiver.url, clock) as made:
        made.tell(alert("a"), "raised")
        await until(lambda: made.results["given_up"] == 1)
        made.tell(alert("b"), "raised")
        await until(lambda: made.results["failed"] == 1)
        clock.ms += webhooks.GIVE_UP_MS
        await until(lambda: made.results["given_up"] == 2)
        assert made.waiting == 0


async def test_loopback_is_not_asked_unless_it_is_allowed(tmp_path: Path, receiver: Receiver) -> None:
    async with sender(tmp_path, receiver.url, Clock(), networks=()) as made:
        made.tell(alert(), "raised")
        await until(lambda: made.results["failed"] == 1)
    assert receiver.came == []


async def test_a_receiver_that_hangs_holds_up_no_other(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "ATTEMPT_SECONDS", 3600.0)
    asked = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        with contextlib.closing(writer):
            await reader.read()

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as silent:
        url = f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}/hook"
        async with sender(tmp_path, url, Clock(), others=(receiver.url,)) as made:
            made.tell(alert("a"), "raised")
            await asked.wait()
            made.tell(alert("b"), "raised")
            await until(lambda: made.results["delivered"] == 2)
            assert made.waiting == 2


async def test_one_that_worsens_is_told_again_under_another_id(tmp_path: Path, receiver: Receiver) -> None:
    async with sender(tmp_path, receiver.url, Clock()) as made:
        made.tell(alert(severity="watch"), "raised")
        made.tell(alert(), "raised")
        await until(lambda: made.results["delivered"] == 2)
    assert [json.loads(body)["data"]["id"] for _, body in receiver.came] == ["alert-1"] * 2
    assert [headers["webhook-id"] for headers, _ in receiver.came] == [
        "alert-1.raised.watch",
        "alert-1.raised.hurt",
    ]


async def test_the_queue_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "MAX_WAITING", 3)
    async with sender(tmp_path, "https://[::1]/", Clock()) as made:
        for index in range(5):
            made.tell(alert(str(index)), "raised")
        assert made.waiting == 3
        assert made.results["given_up"] == 2
