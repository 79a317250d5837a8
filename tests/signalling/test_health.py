"""Alive, and ready or not."""

from __future__ import annotations

import msgspec
import pytest

from mediaserver.recording.control import NoRecordings
from signalling.health import Health
from tests.signalling.conftest import House


async def test_a_server_that_runs_is_alive_and_ready(house: House) -> None:
    for path in ("/livez", "/readyz", "/healthz"):
        async with house.http.get(f"{house.url}{path}") as response:
            assert response.status == 200
            assert response.headers["Cache-Control"] == "no-store"


async def test_a_server_that_drains_is_alive_and_not_ready(house: House) -> None:
    await house.server.drain()
    async with house.http.get(f"{house.url}/livez") as response:
        assert response.status == 200
    async with house.http.get(f"{house.url}/readyz") as response:
        assert (response.status, await response.text()) == (503, "not ready\n")
    async with house.http.get(f"{house.url}/readyz?verbose") as response:
        assert response.status == 503
        told = msgspec.json.decode(await response.read(), type=Health)
    assert not told.ok
    checks = {check.name: check.ok for check in told.checks}
    assert checks == {"media": False, "admission": False, "recording": True}


async def test_a_server_that_does_not_hear_its_recorder_is_not_ready(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NoRecordings, "supervised", False)
    async with house.http.get(f"{house.url}/readyz") as response:
        assert (response.status, await response.text()) == (503, "not ready\n")
