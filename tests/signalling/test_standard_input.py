"""A process waits for the end of its standard input, whatever comes before."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

from signalling.standard_input import end_of_input


async def test_it_returns_when_the_other_end_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        waiting = asyncio.create_task(end_of_input())
        os.write(writing, b"a line\n")
        done, _ = await asyncio.wait({waiting}, timeout=0.05)
        assert not done
        os.close(writing)
        await asyncio.wait_for(waiting, 5)
