"""Who fell out of a room while others wait, told from who left it."""

from __future__ import annotations

import pytest

from mediaserver.operations.missing import Missing
from mediaserver.operations.model import Sample
from mediaserver.operations.timeline import Scene, Source
from mediaserver.policy import Role
from tests.mediaserver.seconds import AT_MS, leg, observer, surgeon

OBSERVER = observer()


def sender(role: Role = Role.SURGEON, phase: str | None = "connected", *, connected: bool = True) -> Sample:
    return surgeon(role=role, connected=connected, up=None if phase is None else leg(phase=phase))


def scene(seats: dict[str, Sample], *sending: str) -> Scene:
    return Scene(seats, {f"of-{id}": Source(id, "endoscope", False, False, (0,)) for id in sending})


def play(*scenes: Scene) -> Missing:
    missing, before = Missing(), Scene()
    for second, now in enumerate(scenes):
        missing.second(before, now, AT_MS + 1000 * second)
        before = now
    return missing


FULL = scene({"s": sender(), "o": OBSERVER}, "s")
AWAY = scene({"s": sender(phase="connected", connected=False), "o": OBSERVER}, "s")
CUT = scene({"s": sender(phase="interrupted"), "o": OBSERVER}, "s")
SILENT = scene({"s": sender(phase=None), "o": OBSERVER})
WAITING = scene({"o": OBSERVER})


@pytest.mark.parametrize("last", [AWAY, CUT])
def test_who_is_lost_is_missed_for_as_long_as_others_wait(last: Scene) -> None:
    missing = play(FULL, last, WAITING, WAITING)
    [found] = missing.findings(AT_MS + 60_000)
    assert (found.cause, found.severity, found.participant) == ("publisher_uplink", "hurt", "s")
    assert [(one.measure, one.value) for one in found.evidence] == [("publisher_gone", 58.0)]
    assert found.role is Role.SURGEON


def test_a_way_that_ended_is_missed_though_the_socket_stands_until_they_leave() -> None:
    assert play(FULL, CUT, SILENT).findings(AT_MS)
    away = scene({"s": sender(phase=None, connected=False), "o": OBSERVER})
    assert play(FULL, CUT, SILENT, away, WAITING).findings(AT_MS)
    assert play(FULL, CUT, SILENT, WAITING).findings(AT_MS) == []


@pytest.mark.parametrize(
    "scenes",
    [
        (FULL, WAITING),
        (FULL, scene({"s": sender(phase=None), "o": OBSERVER})),
        (FULL, CUT, FULL),
        (FULL, CUT, scene({})),
        (FULL, CUT, WAITING, scene({"s2": sender(), "o": OBSERVER}, "s2")),
        (
            scene({"s": sender(), "t": sender(), "o": OBSERVER}, "s", "t"),
            scene({"s": sender(connected=False), "t": sender(), "o": OBSERVER}, "s", "t"),
            scene({"t": sender(), "o": OBSERVER}, "t"),
        ),
        (
            scene({"s": sender(Role.SPECIALIST, "interrupted"), "o": OBSERVER}, "s"),
            WAITING,
        ),
    ],
    ids=["left", "stopped", "recovered", "nobody waits", "came anew", "another sends", "no theatre"],
)
def test_nobody_is_missed(scenes: tuple[Scene, ...]) -> None:
    assert play(*scenes).findings(AT_MS) == []
