"""The desk tells alike of what is not there and what is not for the asker, and ends what it began."""

from __future__ import annotations

from pathlib import Path

import pytest

from mediaserver.store.recordings import UnknownRecording
from tests.mediaserver.review.recorded import RECORDING
from tests.signalling.conftest import OpenHouse, open_house  # noqa: F401 - a fixture
from tests.signalling.reviewing import reviewed


async def test_what_is_not_for_the_asker_is_not_there(open_house: OpenHouse) -> None:  # noqa: F811
    here = await reviewed(open_house)
    assert (await here.desk.entry(RECORDING, lambda room: room == "7QK2")).id == RECORDING
    for id, may_see in ((RECORDING, False), ("rNone", True), ("../../etc", True)):
        with pytest.raises(UnknownRecording):
            await here.desk.entry(id, (lambda _: True) if may_see else (lambda _: False))
    with pytest.raises(UnknownRecording):
        here.desk.folder("../../etc")


async def test_closing_ends_views_and_tells_the_audit(open_house: OpenHouse, tmp_path: Path) -> None:  # noqa: F811
    here = await reviewed(open_house)
    await here.open()
    assert len(here.desk.views) == 1
    await here.desk.close()
    assert len(here.desk.views) == 0
    assert ("view.stop", "success", RECORDING) in await here.audited()
    assert not (tmp_path / "data" / "exports").exists()
