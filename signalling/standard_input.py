"""For processes that are to end with whoever started them: it holds the other end of their standard input."""

from __future__ import annotations

import asyncio
import sys


async def end_of_input() -> None:
    """Returns when whoever started this process is gone or closes the pipe; what comes is passed over."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while await reader.read(65_536):
        pass
