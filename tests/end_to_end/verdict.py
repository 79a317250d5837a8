"""What operators are told of a room with a fault: one verdict, and whether it helps."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mediaserver.cause.texts import CAUSES
from mediaserver.operations.model import Cause
from mediaserver.policy import Role
from tests.running import Client

PATIENCE_SECONDS = 60.0
"""For the first finding: a stalled socket is noticed by two heartbeats."""
JUDGED_SECONDS = 10.0
EVERY_SECONDS = 0.5

Row = dict[str, Any]
NOT_SEEN_YET: Row = {"state": "unknown", "cause": None, "findings": []}


@dataclass(frozen=True)
class Verdict:
    """The cause that the board named most often, from the first finding on."""

    fault: Cause
    named: str | None
    share: float
    """Of the looks at the board."""
    after_seconds: float
    evidence: tuple[str, ...]
    """Measures that were told with this cause."""
    measured: bool
    """Each with a value on the wrong side of its limit."""
    action: str

    @property
    def right(self) -> bool:
        """The cause, what it rests on, and what to do about it."""
        return (
            self.named == self.fault
            and bool(self.evidence)
            and self.measured
            and self.action == CAUSES[self.fault].action.en
        )


async def row(http: Client, room: str) -> Row:
    """The room's line of the operators' board, which looks once a second."""
    headers = http.server.bearer("*", Role.OPERATOR)
    response = await http.request("GET", "/api/v1/operations/board", headers=headers)
    rows: list[Row] = (await response.json())["rows"]
    return next((one for one in rows if one["room"] == room), NOT_SEEN_YET)


async def verdict(http: Client, room: str, fault: Cause) -> Verdict:
    """Looks at the board until something is found, and ten seconds more. The fault has just been made."""
    began = time.monotonic()
    while (seen := await row(http, room))["cause"] is None:
        if time.monotonic() - began > PATIENCE_SECONDS:
            return Verdict(fault, None, 1.0, PATIENCE_SECONDS, (), False, "")
        await asyncio.sleep(EVERY_SECONDS)
    after = time.monotonic() - began
    rows = [seen]
    while time.monotonic() - began - after < JUDGED_SECONDS:
        await asyncio.sleep(EVERY_SECONDS)
        rows.append(await row(http, room))
    return _of(fault, rows, after)


def _of(fault: Cause, rows: Sequence[Row], after: float) -> Verdict:
    causes: Counter[str | None] = Counter(one["cause"] and one["cause"]["cause"] for one in rows)
    (named, count), *_ = causes.most_common(1)
    told = [one["cause"] for one in rows if one["cause"] and one["cause"]["cause"] == named]
    findings = [one for seen in rows for one in seen["findings"] if one["cause"] == named]
    evidence = [one for found in findings for one in found["evidence"]]
    return Verdict(
        fault, named, count / len(rows), after,
        evidence=tuple(sorted({one["measure"] for one in evidence})),
        measured=all(one["evidence"] for one in findings) and all(_passed(one) for one in evidence),
        action=told[0]["action"]["en"] if told else "",
    )  # fmt: skip


def _passed(evidence: Row) -> bool:
    low = evidence["measure"] in ("estimate", "disk_free", "disk_forecast")
    value, limit = evidence["value"], evidence["limit"]
    return bool(value < limit if low else value > limit)


def told(one: Row) -> str:
    """How a room stands, in a few words."""
    findings = [
        f"{found['cause']} ({', '.join(evidence['measure'] for evidence in found['evidence'])})"
        for found in one["findings"]
    ]
    return " ".join([one["state"], *findings])


def table(verdicts: Sequence[Verdict]) -> str:
    """One line a fault."""
    lines = [f"{'fault':17} {'named':17} {'share':>5} {'after':>6}  right  evidence"]
    lines += [
        f"{one.fault:17} {one.named or '-':17} {one.share:5.0%} {one.after_seconds:4.0f} s  "
        f"{'yes' if one.right else 'NO':5}  {', '.join(one.evidence)}"
        for one in verdicts
    ]
    return "\n".join(lines)
