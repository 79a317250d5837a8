"""What a preflight found: one finding per thing that must be open, each needing those before it."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, TypeAlias

import msgspec

Item: TypeAlias = Literal[
    "name", "tcp", "tls", "http", "websocket", "invitation", "capacity", "udp", "relay", "loss", "delay"
]  # fmt: skip


class Verdict(StrEnum):
    """``open`` works; ``weak`` works, but IT should know; ``blocked`` does not."""

    OPEN = "open"
    WEAK = "weak"
    BLOCKED = "blocked"
    UNTESTED = "untested"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """``where`` is what IT must know to open it; ``detail`` what was measured, or the system's own words."""

    item: Item
    verdict: Verdict
    where: str = ""
    detail: str = ""


class Preflight(msgspec.Struct, frozen=True, kw_only=True):
    """One whole test."""

    server: str
    at_ms: int
    """Unix milliseconds."""
    findings: list[Finding]

    @property
    def passed(self) -> bool:
        """Nothing is blocked."""
        return all(finding.verdict is not Verdict.BLOCKED for finding in self.findings)
