"""What ends the service: a signal always, ``loupe drain`` without live surgery, a hand on systemctl never."""

from __future__ import annotations

import asyncio
import configparser
import inspect
import shutil
import subprocess
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from mediaserver.clinical import ClinicalClass
from signalling import cli
from tests.member import Member
from tests.running import ROOT, Client, Server, loupe, until

UNIT = ROOT / "deploy" / "systemd" / "loupe.service"
OPERATORS = "/api/v1/operations"


def unit() -> configparser.ConfigParser:
    found = configparser.ConfigParser(interpolation=None)
    found.read(UNIT)
    return found


def test_nobody_stops_it_by_hand_and_what_was_drained_stays_down() -> None:
    service = unit()
    assert service["Unit"]["RefuseManualStop"] == "yes"
    assert service["Service"]["Restart"] == "on-failure"
    assert service["Service"]["KillMode"] == "mixed"
    drained_after = inspect.signature(cli.serve).parameters["drain_seconds"].default
    assert float(service["Service"]["TimeoutStopSec"]) > 2 * drained_after


def test_systemd_takes_every_line(tmp_path: Path) -> None:
    analyse = shutil.which("systemd-analyze")
    if analyse is None:
        pytest.skip("no systemd-analyze: install Debian's package systemd")
    program = unit()["Service"]["ExecStart"]
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace(program, "/bin/true").replace("User=loupe", "User=root"))
    said = subprocess.run([analyse, "verify", copy], capture_output=True, text=True, check=False)
    assert str(copy) not in said.stderr + said.stdout, said.stderr


async def test_a_live_surgery_refuses_the_drain_and_cannot_refuse_the_signal(tmp_path: Path) -> None:
    server = Server.start(tmp_path)
    async with Client(server) as http, AsyncExitStack() as stack:
        surgeon = Member(http, "theatre")
        await surgeon.open()
        stack.push_async_exit(surgeon)
        token = server.token("theatre", clinical=ClinicalClass.SURGERY)
        assert (await surgeon.ask("join", token=token, name=""))["type"] == "hello"

        async def live() -> bool:
            response = await http.request("GET", f"{OPERATORS}/board", headers=server.bearer("*", "operator"))
            return bool((await response.json())["live_surgeries"] == 1)

        await until(live, 10, "the board knows it")
        asked = await asyncio.create_subprocess_exec(
            *loupe("drain", "--data", str(server.data), "--url", server.url),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await asked.communicate()
        assert asked.returncode != 0
        assert b"1 surgery live: restart refused" in said
        assert server.process.poll() is None
        assert await asyncio.to_thread(server.stop) == 0
        closing = await surgeon.event("closing")
        assert (closing["reason"], closing["reconnect"]) == ("server_draining", True)
