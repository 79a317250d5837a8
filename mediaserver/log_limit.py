"""One line per cause per second, whoever writes it: what a flood of refusals may put on the disk (W16).

What was held back is counted and told with the next line of the same cause, as ``suppressed``.
Packets are not logged at all: the plane counts them. At level debug nothing is held back.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

PERIOD_SECONDS = 1.0
MAX_CAUSES = 1024
"""Causes remembered at once, which are places in code; the one heard longest ago goes first."""


@dataclass(slots=True)
class _Heard:
    at: float
    suppressed: int = 0


class LineLimiter(logging.Filter):
    """A filter for a handler, so that it sees the lines of all loggers. ``now``: steady seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._heard: dict[Hashable, _Heard] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this line is written."""
        now, cause = self._now(), _cause(record)
        before = self._heard.get(cause)
        if before is not None and now - before.at < PERIOD_SECONDS:
            before.suppressed += 1
            return False
        if before is not None:
            del self._heard[cause]
            if before.suppressed:
                _tell(record, before.suppressed)
        elif len(self._heard) >= MAX_CAUSES:
            del self._heard[next(iter(self._heard))]
        self._heard[cause] = _Heard(now)
        return True


def _cause(record: logging.LogRecord) -> Hashable:
    """The place that speaks, not what it says: libraries put the peer's words into their lines."""
    if _is_structured(record):
        # All of these come from one place in structlog; their event is a constant of ours.
        return record.name, record.levelno, str(record.msg["event"])  # type: ignore[index] # a dict, see there
    return record.name, record.levelno, record.pathname, record.lineno, _failure(record)


def _failure(record: logging.LogRecord) -> Hashable:
    """Where an exception came from: one place logs them all."""
    if not record.exc_info or record.exc_info[0] is None:
        return None
    kind, _, trace = record.exc_info
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return kind, trace and (trace.tb_frame.f_code.co_filename, trace.tb_lineno)


def _tell(record: logging.LogRecord, suppressed: int) -> None:
    if _is_structured(record):
        record.msg["suppressed"] = suppressed  # type: ignore[index] # a dict, see there
    else:
        record.suppressed = suppressed


def _is_structured(record: logging.LogRecord) -> bool:
    return isinstance(record.msg, dict) and "event" in record.msg
