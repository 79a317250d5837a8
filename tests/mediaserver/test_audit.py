"""The words of the audit."""

from __future__ import annotations

import pytest

from mediaserver.audit import SYSTEM, Actor, Audit, Event, NoAudit
from mediaserver.ids import Redacted

REQUIRED = [
    "session.create",
    "session.start",
    "session.end",
    "participant.admit",
    "participant.deny",
    "participant.leave",
    "view.start",
    "view.stop",
    "publish.start",
    "publish.stop",
    "annotation.create",
    "annotation.clear",
    "freeze.begin",
    "freeze.end",
    "recording.start",
    "recording.pause",
    "recording.stop",
    "recording.finalise",
    "recording.export",
    "recording.delete",
    "recording.hold",
    "consent.give",
    "consent.refuse",
    "consent.withdraw",
    "patient.bind",
    "patient.confirm",
    "role.change",
    "breakglass",
    "config.change",
]


@pytest.mark.parametrize("name", REQUIRED)
def test_the_minimum_set_has_its_words(name: str) -> None:
    assert Event(name).value == name


def test_an_actor_prints_no_name() -> None:
    assert "Ánh" not in repr(Actor(id="a", name=Redacted("Ánh")))


def test_no_audit_takes_everything() -> None:
    audit: Audit = NoAudit()
    audit.append(Event.SESSION_START, actor=SYSTEM, room="7QK2")
