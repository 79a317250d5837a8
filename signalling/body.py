"""Request bodies: bounded in size, time and slowness, of one content type, parsed once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TypeVar

import msgspec
from aiohttp import web

from signalling.errors import MalformedMessage, TooLarge, TooSlow, UnsupportedMediaType
from signalling.faults import describe
from signalling.limits import HttpLimits

T = TypeVar("T")


def require_content_type(request: web.Request, accepted: Iterable[str]) -> None:
    """Parameters are ignored. Raises ``UnsupportedMediaType``."""
    names = tuple(accepted)
    if "Content-Type" not in request.headers or request.content_type.lower() not in names:
        raise UnsupportedMediaType(f"send Content-Type: {' or '.join(names)}")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        # Nobody needs compressed SDP, and a bomb needs nothing else.
        raise UnsupportedMediaType("compressed bodies are not accepted")


async def read(request: web.Request, limits: HttpLimits, max_bytes: int) -> bytes:
    """The whole body.

    Raises:
        TooLarge: more than ``max_bytes``, told by its length or found while reading.
        TooSlow: not complete within ``body_seconds``, or slower than ``body_bytes_per_second`` after the
        grace time.
    """
    if request.content_length is not None and request.content_length > max_bytes:
        raise TooLarge(f"the body may have {max_bytes} bytes")
    loop = asyncio.get_running_loop()
    start = loop.time()
    chunks = bytearray()
    while True:
        by_rate = start + limits.body_grace_seconds + len(chunks) / limits.body_bytes_per_second
        try:
            async with asyncio.timeout_at(min(start + limits.body_seconds, by_rate)):
                chunk = await request.content.readany()
        except TimeoutError:
            raise TooSlow from None
        if not chunk:
            return bytes(chunks)
        chunks += chunk
        if len(chunks) > max_bytes:
            raise TooLarge(f"the body may have {max_bytes} bytes")


async def read_text(request: web.Request, limits: HttpLimits, max_bytes: int) -> str:
    """The body as UTF-8. Raises as ``read``, and ``MalformedMessage``."""
    try:
        return (await read(request, limits, max_bytes)).decode()
    except UnicodeDecodeError:
        raise MalformedMessage("the body is not UTF-8") from None


async def read_json(request: web.Request, limits: HttpLimits, kind: type[T]) -> T:
    """A JSON body of this type; an empty one counts as ``{}``.

    Raises as ``read``, and ``MalformedMessage``.
    """
    require_content_type(request, ("application/json",))
    text = await read(request, limits, limits.api_body_bytes)
    try:
        return msgspec.json.decode(text or b"{}", type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise describe(error) from None
