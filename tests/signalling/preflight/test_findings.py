"""What a preflight concludes from its findings."""

from __future__ import annotations

import pytest

from signalling.preflight.findings import Finding, Preflight, Verdict


@pytest.mark.parametrize(
    ("verdicts", "passed"),
    [
        ([Verdict.OPEN, Verdict.WEAK, Verdict.UNTESTED], True),
        ([Verdict.OPEN, Verdict.BLOCKED], False),
        ([], True),
    ],
)
def test_only_what_is_blocked_fails_it(verdicts: list[Verdict], passed: bool) -> None:
    findings = [Finding(item="udp", verdict=verdict) for verdict in verdicts]
    assert Preflight(server="https://h:1", at_ms=0, findings=findings).passed is passed
