"""The whole way, and what is told to whom."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

from signalling.preflight import examination, media, network
from signalling.preflight.findings import Finding, Verdict
from signalling.preflight.network import Target

SECRET = Target("https", "127.0.0.1", 1, "the-invitation")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Invitations that the media test was given, behind a certificate that nobody vouches for."""
    given: list[str] = []

    async def untrusted(_: Target) -> tuple[list[Finding], Any]:
        return [Finding(item="websocket", verdict=Verdict.OPEN)], ssl.create_default_context()

    async def note(target: Target, _: object) -> list[Finding]:
        given.append(target.invitation)
        return []

    monkeypatch.setattr(network, "examine", untrusted)
    monkeypatch.setattr(media, "examine", note)
    return given


async def test_an_invitation_is_not_told_to_whom_nobody_vouches_for(told: list[str]) -> None:
    await examination.examine(SECRET)
    assert told == [""]


async def test_unless_asked_for(told: list[str]) -> None:
    await examination.examine(SECRET, insecure=True)
    assert told == ["the-invitation"]


async def test_what_is_blocked_early_is_the_end_of_it() -> None:
    found = await examination.examine(Target("https", "no-such-host.invalid", 443, "x"))
    assert [(one.item, one.verdict) for one in found.findings] == [
        ("name", Verdict.BLOCKED),
        ("udp", Verdict.UNTESTED),
    ]
    assert found.server == "https://no-such-host.invalid:443"
    assert not found.passed
