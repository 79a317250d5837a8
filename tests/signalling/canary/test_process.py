"""The canary's command: tokens by standard input, readings by standard output, and its end with either."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import pytest

from mediaserver.policy import Right
from tests.signalling.conftest import House


async def start(house: House, **more: str) -> asyncio.subprocess.Process:
    rights = {"send_token": Right.PUBLISH_VIDEO, "receive_token": Right.SUBSCRIBE}
    given = {name: house.token("staff", rights=frozenset({right})) for name, right in rights.items()}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "signalling.canary.process", house.url),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps({**given, **more}).encode() + b"\n")
    return process


async def test_it_tells_and_ends_with_its_input(house: House) -> None:
    process = await start(house)
    assert process.stdin is not None
    assert process.stdout is not None
    told: dict[str, Any] = {"delay_seconds": None}
    async with asyncio.timeout(30):
        while told["delay_seconds"] is None:
            told = json.loads(await process.stdout.readline())
        process.stdin.close()
        assert await process.wait() == 0


@pytest.mark.parametrize("token", ["", "nonsense"])
async def test_it_ends_where_it_may_not_enter(house: House, token: str) -> None:
    process = await start(house, send_token=token)
    async with asyncio.timeout(30):
        await process.wait()
