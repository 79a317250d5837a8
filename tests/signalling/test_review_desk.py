"""The desk is there when there is a vault, and closes with the application."""

from __future__ import annotations

from pathlib import Path

from tests.signalling.conftest import OpenHouse
from tests.signalling.reviewing import reviewed


async def test_a_house_with_a_key_has_a_desk(open_house: OpenHouse, tmp_path: Path) -> None:
    house = await open_house()
    assert house.parts.desk is not None
    assert house.parts.desk.roots == (tmp_path / "data" / "recordings",)


async def test_a_house_without_has_none(open_house: OpenHouse) -> None:
    assert (await open_house({"recording": {}})).parts.desk is None


async def test_the_desk_ends_with_the_listener(open_house: OpenHouse) -> None:
    here = await reviewed(open_house)
    await here.open()
    await here.house.listener.close()
    assert len(here.desk.views) == 0
    assert ("view.stop", "success", here.recording) in await here.audited()
