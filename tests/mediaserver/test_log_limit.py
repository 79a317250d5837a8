"""A flood of lines, ours or a library's, becomes one a second that says how many it stands for."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog

from mediaserver import log, log_limit


@dataclass
class Log:
    """The whole pipeline as ``loupe serve`` sets it up, on a clock of the test's."""

    now: float = 100.0
    stream: io.StringIO = field(default_factory=io.StringIO)

    def lines(self) -> list[dict[str, Any]]:
        """What was written since the last time."""
        written = [json.loads(line) for line in self.stream.getvalue().splitlines()]
        self.stream.seek(0)
        self.stream.truncate()
        return written


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    found = Log()
    monkeypatch.setattr(log, "LineLimiter", lambda: log_limit.LineLimiter(lambda: found.now))
    log.configure("info", "json", found.stream)
    yield found
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def ours_structured(number: int) -> None:
    structlog.stdlib.get_logger("mediaserver.server").info("joined", participant=f"p{number}")


def ours_plain(number: int) -> None:
    logging.getLogger("loupe.signalling").warning("refused", extra={"reason": number})


def of_aiortc(number: int) -> None:
    logging.getLogger("aiortc.rtcsctptransport").warning("RTCSctpTransport(%s) bad chunk", number)


def of_aiohttp(number: int) -> None:
    # A library that puts the peer's words into the line itself.
    logging.getLogger("aiohttp.server").error(f"Error handling request from {number}")  # noqa: G004


@pytest.mark.parametrize("write", [ours_structured, ours_plain, of_aiortc, of_aiohttp])
def test_one_line_a_second_that_tells_how_many_it_stands_for(made: Log, write: Any) -> None:
    for number in range(10_000):
        write(number)
    first = made.lines()
    assert len(first) == 1
    assert "suppressed" not in first[0]
    made.now += 0.999
    write(0)
    assert made.lines() == []
    made.now += 0.001
    write(0)
    [told] = made.lines()
    assert told["suppressed"] == 10_000
    made.now += 1
    write(0)
    [quiet] = made.lines()
    assert "suppressed" not in quiet


def test_one_cause_hides_no_other(made: Log) -> None:
    writers = (ours_structured, ours_plain, of_aiortc, of_aiohttp)
    for _ in range(50):
        for write in writers:
            write(0)
    structlog.stdlib.get_logger("mediaserver.server").info("left")
    structlog.stdlib.get_logger("mediaserver.server").error("joined")
    logging.getLogger("loupe.signalling").warning("refused")  # elsewhere in the code
    assert len(made.lines()) == len(writers) + 3


def fails() -> None:
    raise KeyError("x")


def fails_elsewhere() -> None:
    raise KeyError("x")


def fails_otherwise() -> None:
    raise ValueError("x")


def test_exceptions_that_one_place_logs_are_told_apart(made: Log) -> None:
    for _ in range(20):
        for failing in (fails, fails_elsewhere, fails_otherwise):
            try:
                failing()
            except Exception:
                logging.getLogger("asyncio").exception("Task exception was never retrieved")
    assert len(made.lines()) == 3


def test_at_level_debug_every_line_is_written(made: Log) -> None:
    log.configure("debug", "json", made.stream)
    for number in range(20):
        ours_structured(number)
    assert len(made.lines()) == 20


def test_what_is_remembered_is_bounded() -> None:
    limiter = log_limit.LineLimiter(lambda: 0.0)

    def pass_on(name: str) -> bool:
        return limiter.filter(logging.LogRecord(name, logging.INFO, "f.py", 1, "x", None, None))

    for number in range(log_limit.MAX_CAUSES + 1):
        assert pass_on(f"logger {number}")
    assert len(limiter._heard) == log_limit.MAX_CAUSES
    assert not pass_on("logger 1")
    assert pass_on("logger 0"), "the one heard longest ago was forgotten"
