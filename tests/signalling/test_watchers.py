"""What the settings ask for runs beside the server, and ends with it."""

from __future__ import annotations

import asyncio

import pytest

from mediaserver.quality.control import PictureProbe
from signalling import watchers
from signalling.canary.control import Canary
from tests.signalling.conftest import OpenHouse


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"pictures": True, "canary": False}, {"pictures"}),
        ({"pictures": False, "canary": True}, {"canary"}),
        ({"pictures": False, "canary": False}, set()),
    ],
)
async def test_only_what_is_asked_for(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch, asked: dict[str, bool], expected: set[str]
) -> None:
    running: set[str] = set()

    def standing(name: str) -> object:
        async def run(_: object) -> None:
            running.add(name)
            try:
                await asyncio.Event().wait()
            finally:
                running.discard(name)

        return run

    monkeypatch.setattr(PictureProbe, "run", standing("pictures"))
    monkeypatch.setattr(Canary, "run", standing("canary"))
    house = await open_house({"watch": asked})
    async with watchers.running(house.parts, house.url):
        await asyncio.sleep(0)
        assert running == expected
    assert running == set()
