"""The whole preflight, from the name to the pictures."""

from __future__ import annotations

import time
from dataclasses import replace

from signalling.preflight import media, network
from signalling.preflight.findings import Finding, Preflight, Verdict
from signalling.preflight.network import Target


async def examine(target: Target, *, insecure: bool = False) -> Preflight:
    """Takes about twenty seconds with an invitation, and less without. Nothing that is blocked raises.

    ``insecure``: an invitation is told to a server whose certificate nobody vouches for.
    """
    findings, tls = await network.examine(target)
    if findings[-1].verdict is not Verdict.BLOCKED:
        may_tell = insecure or tls is True
        findings += await media.examine(target if may_tell else replace(target, invitation=""), tls)
    else:
        findings.append(Finding(item="udp", verdict=Verdict.UNTESTED))
    return Preflight(server=target.url, at_ms=time.time_ns() // 1_000_000, findings=findings)
