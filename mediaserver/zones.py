"""Time zones by the names that browsers give them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

VIETNAM = timezone(timedelta(hours=7))
"""Where nobody names another. Without a database: the country has kept one time all year since 1975."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,31}(/[A-Za-z0-9_+-]{1,31}){0,2}")
"""IANA names (RFC 6557); no dots, so that none leads out of the database's folder."""


def named(name: str) -> tzinfo:
    """``VIETNAM`` for a name that this machine's database lacks: browsers go on giving names that it dropped.

    Raises:
        ValueError: no zone can be called so.
    """
    if _NAME.fullmatch(name) is None:
        raise ValueError("no name of a time zone")
    try:
        return ZoneInfo(name)
    except (LookupError, OSError, ValueError):
        return VIETNAM


def local(at_ms: int, zone: tzinfo) -> datetime:
    """``at_ms``: Unix milliseconds."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone)


def iso(at_ms: int, zone: tzinfo) -> str:
    """ISO 8601 to the millisecond, with the distance to UTC."""
    return local(at_ms, zone).isoformat(timespec="milliseconds")
