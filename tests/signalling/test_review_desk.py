"""The desk is there when there is a vault, and closes with the application."""

from __future__ import annotations

from pathlib import Path

import pytest

from mediaserver.review.views import VIEW_SECONDS
from tests.running import until
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


async def test_a_view_that_ran_out_is_told_without_another(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mediaserver.review.desk.SWEEP_SECONDS", 0.01)
    here = await reviewed(open_house)
    await here.open()
    here.house.clock.ahead_seconds += VIEW_SECONDS - 1
    assert len(here.desk.views) == 1
    here.house.clock.ahead_seconds += 1
    await until(lambda: len(here.desk.views) == 0, 10, "the view's end")
    assert ("view.stop", "success", here.recording) in await here.audited()
