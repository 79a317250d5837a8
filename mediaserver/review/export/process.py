"""A process beside the server that does one piece of work: what it is told goes in as one line, what it says
comes out line by line. The end of its input ends it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

CANCEL_SECONDS: Final = 5.0
"""To end by itself before it is killed."""


@asynccontextmanager
async def working(work: bytes, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """``python -m mediaserver.review.export`` with its work begun; it is over when the block is left."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mediaserver.review.export", *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # a terminal's Ctrl-C is the server's or the command's alone, which ends this
    )  # fmt: skip
    assert process.stdin is not None, "piped"
    try:
        process.stdin.write(work + b"\n")
        await process.stdin.drain()
        yield process
    finally:
        await _stop(process, process.stdin)


async def _stop(process: asyncio.subprocess.Process, stdin: asyncio.StreamWriter) -> None:
    """Its input ends, and with it the process. Killed if it does not."""
    stdin.close()
    try:
        async with asyncio.timeout(CANCEL_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
