"""Plain bytes of sealed files, sent piece by piece: little lies in memory however slowly it is read, and
nothing more is sent once its reader may see it no more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from aiohttp import web

from mediaserver.errors import LoupeError
from signalling.limits import exchange_began

PIECE_BYTES = 256 * 1024

Read: TypeAlias = Callable[[int, int], Awaitable[bytes]]
"""So many bytes from an offset."""


async def send(
    request: web.Request, response: web.StreamResponse, span: range, read: Read, check: Callable[[], object]
) -> web.StreamResponse:
    """The bytes of a span. ``check`` raises ``LoupeError`` once they may not be seen any more: then the
    connection ends, short of what was announced.

    Raises as ``read``, before anything was sent.
    """
    response.content_length = len(span)
    for offset in span[::PIECE_BYTES]:
        piece = await read(offset, min(PIECE_BYTES, span.stop - offset))
        try:
            check()
        except LoupeError:
            if not response.prepared:
                raise
            if request.transport is not None:
                request.transport.abort()
            return response
        if not response.prepared:
            await response.prepare(request)
        await response.write(piece)
        exchange_began(request)
    if not response.prepared:
        await response.prepare(request)
    await response.write_eof()
    return response
