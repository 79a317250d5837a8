"""The canary by the real path, in its own process: readings while it sings, silence when it does not."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog.testing

from mediaserver.cause.thresholds import CANARY_SILENCE
from mediaserver.clinical import ClinicalClass
from mediaserver.operations.model import CanaryReading
from signalling.canary import control
from signalling.canary.control import ROOM_PREFIX, Canary
from signalling.canary.tally import Told
from tests.mediaserver.desks import make, play
from tests.mediaserver.seconds import AT_MS
from tests.running import until
from tests.signalling.conftest import House, OpenHouse


class Readings(list[CanaryReading | None]):
    """All there were."""

    @property
    def last(self) -> CanaryReading:
        found = self[-1]
        assert found is not None
        return found

    def sings(self) -> bool:
        return bool(self) and self[-1] is not None and self.last.delay_seconds is not None


@pytest.fixture
async def heard(house: House, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Canary, Readings]]:
    monkeypatch.setattr(control, "PAUSE_SECONDS", 0.2)
    readings = Readings()
    canary = Canary(house.parts.authenticator, house.url, readings.append)
    running = asyncio.create_task(canary.run())
    await until(readings.sings, 30, "the first picture came back")
    yield canary, readings
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert readings[-1] is None, "no canary, no reading"


async def test_it_measures_the_real_path_and_is_missed_at_once(
    house: House, heard: tuple[Canary, Readings]
) -> None:
    canary, readings = heard
    room = next(room for name, room in house.server.rooms.items() if name.startswith(ROOM_PREFIX))
    assert room.clinical_class is ClinicalClass.TEST
    first = readings.last
    assert first.delay_seconds is not None
    assert 0 <= first.delay_seconds < 5
    assert first.loss_ratio is not None
    assert first.loss_ratio <= 0.5
    assert first.silent_seconds < 5
    assert canary.pid is not None
    os.kill(canary.pid, signal.SIGSTOP)
    await until(lambda: readings.last.silent_seconds > 4, 15, "a canary that hangs is silent")
    assert readings.last.delay_seconds is None
    os.kill(canary.pid, signal.SIGKILL)
    await until(lambda: canary.starts == 2 and readings.sings(), 30, "another one sings")


async def test_one_that_cannot_be_started_is_silent_and_tried_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(control, "TELL_SECONDS", 0.05)
    python = sys.executable
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    readings = Readings()
    canary = Canary(house.parts.authenticator, house.url, readings.append)
    with structlog.testing.capture_logs() as lines:  # a traceback in colours takes a second
        running = asyncio.create_task(canary.run())
        await until(lambda: len(readings) >= 6, 10, "its silence is told")
        assert None not in readings
        assert readings.last.silent_seconds > readings[0].silent_seconds  # type: ignore[union-attr]
        assert canary.starts == 0
        monkeypatch.setattr(sys, "executable", python)
        await until(lambda: canary.starts == 1, 10, "the next attempt")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert {line["event"] for line in lines} == {"the canary failed and is started again"}


async def test_its_silence_is_an_alert_within_thirty_seconds(open_house: OpenHouse, tmp_path: Path) -> None:
    house = await open_house({})
    server, desk = make(tmp_path)
    await server.start()
    canary = Canary(house.parts.authenticator, house.url, desk.canary_seen)
    begun = canary._heard

    def second(at: int) -> None:
        """The clock is the test's."""
        desk.canary_seen(canary._reading(begun + at, AT_MS + at * 1000))
        play(server, desk, 1, at)

    for at in range(60):
        canary._told(Told(0.1, 0.0, 0.0), begun + at)
        second(at)
    assert desk.alerts.open() == []
    last = 59
    raised = None
    for at in range(60, 120):
        second(at)
        if desk.alerts.open():
            raised = at - last
            break
    [alert] = desk.alerts.open()
    assert raised is not None
    assert CANARY_SILENCE.hurt < raised < 30
    assert (alert.cause.cause, alert.severity) == ("canary", "hurt")
    assert [one.measure for one in alert.evidence] == ["canary_silence"]
    # A process that still speaks and gets nothing back is as silent as one that hangs.
    canary._told(Told(None, None, float(raised)), begun + last + raised)
    reading = canary._reading(begun + last + raised, AT_MS)
    assert (reading.silent_seconds, reading.delay_seconds) == (raised, None)
    for at in range(120, 135):
        canary._told(Told(0.1, 0.0, 0.0), begun + at)
        second(at)
    assert desk.alerts.open() == []
    await server.stop()
