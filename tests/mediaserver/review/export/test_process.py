"""A process that works beside the server ends with its work, or with whoever wanted it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mediaserver.review.export import process as process_module
from mediaserver.review.export.process import working


async def test_it_is_over_with_the_block() -> None:
    async with working(b"{}") as process:  # no work that it knows
        assert process.stdout is not None
        assert [line async for line in process.stdout] == []
    assert process.returncode not in (None, 0)


async def test_one_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = asyncio.create_subprocess_exec

    async def deaf(*_: str, **pipes: Any) -> asyncio.subprocess.Process:
        return await begin("sleep", "60", **pipes)

    monkeypatch.setattr(process_module, "CANCEL_SECONDS", 0.05)
    monkeypatch.setattr(asyncio, "create_subprocess_exec", deaf)
    async with working(b"{}") as process:
        pass
    assert process.returncode == -9
