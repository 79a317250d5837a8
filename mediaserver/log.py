"""Logs: one structlog pipeline for our lines and those of
libraries, JSON or console, with what identifies removed and floods held back.

No line carries a token, a name, an address, an ICE password or a description: such values have the type
``Redacted`` or sit under a key that is masked here, and what slips through as text is masked by pattern.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO

import structlog

from mediaserver.ids import Redacted
from mediaserver.log_limit import LineLimiter

MASK = "<redacted>"
MASKED_KEYS = frozenset(
    {
        "address", "authorization", "body", "candidate", "cookie", "credential", "ip", "key", "name", "offer",
        "answer", "password", "peer", "pwd", "remote", "sdp", "secret", "text", "token", "ufrag",
    }
)  # fmt: skip

_ROOM_KEY = secrets.token_bytes(16)
"""Of this process: hashes of different starts do not compare."""

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"), MASK),  # JSON web tokens
    (re.compile(r"(?i)(bearer|ice-pwd:|ice-ufrag:|token=|password=)\s*[^\s\"',;]+"), r"\1" + MASK),
    (re.compile(r"\b(?:[0-9]{1,3}\.){3}[0-9]{1,3}\b"), MASK),
    # IPv6: eight groups, or a run of zeros written as two colons (RFC 4291 section 2.2). Times of day
    # have neither.
    (re.compile(r"(?i)(?<![0-9a-z:])(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}(?![0-9a-z:])"), MASK),
    (
        re.compile(r"(?i)(?<![0-9a-z:])(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){0,6})?::(?:[0-9a-f:]*[0-9a-f])?"),
        MASK,
    ),
)
_NOISY = ("aioice", "aiortc", "asyncio")
"""Libraries whose debug lines hold addresses and packets: never below warning."""


def redact(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: masks by type, by key, then by pattern."""
    for key, value in list(event.items()):
        if key.lower() in MASKED_KEYS:
            event[key] = MASK
        elif key == "room":
            event[key] = _hashed(str(value))
        else:
            event[key] = _clean(value)
    return event


def _hashed(room: str) -> str:
    """Lines about one room can be told from others; a room's name may say whom it is about."""
    return hashlib.blake2b(room.encode(), key=_ROOM_KEY, digest_size=5).hexdigest()


def _clean(value: Any) -> Any:
    match value:
        case Redacted():
            return MASK
        case str():
            return scrub(value)
        case bool() | int() | float() | None:
            return value
        case dict():
            return {
                key: MASK if str(key).lower() in MASKED_KEYS else _clean(item) for key, item in value.items()
            }
        case list() | tuple() | set() | frozenset():
            return [_clean(item) for item in value]
        case _:
            return scrub(str(value))


def scrub(text: str) -> str:
    """Masks tokens, ICE passwords and addresses in free text."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def configure(
    level: str = "info", form: Literal["auto", "json", "console"] = "auto", stream: TextIO | None = None
) -> None:
    """Sets up structlog and the standard library's root logger. Call once; calling again replaces."""
    stream = stream if stream is not None else sys.stderr
    console = form == "console" or (form == "auto" and stream.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        structlog.processors.format_exc_info,
        redact,
    ]
    renderer: Any = structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared[:2],
            *shared[3:],
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of every file it looks at
    handler = logging.StreamHandler(stream)
    if level != "debug":  # who asks for that wants every line
        handler.addFilter(LineLimiter())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
