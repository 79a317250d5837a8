"""The desk tells alike of what is not there and what is not for the asker, and ends what it began."""

from __future__ import annotations

from pathlib import Path

import pytest

from mediaserver.ids import RoomId
from mediaserver.policy import Role
from mediaserver.review.desk import Asker
from mediaserver.store.recordings import UnknownRecording
from tests.mediaserver.review.recorded import RECORDING
from tests.signalling.conftest import OpenHouse, open_house  # noqa: F401 - a fixture
from tests.signalling.reviewing import reviewed


async def test_what_is_not_for_the_asker_is_not_there(open_house: OpenHouse) -> None:  # noqa: F811
    here = await reviewed(open_house)
    theirs = Asker(Role.SURGEON, RoomId("7QK2"))
    assert (await here.desk.entry(RECORDING, theirs)).id == RECORDING
    elsewhere = Asker(Role.SURGEON, RoomId("other"))
    another_case = Asker(Role.SPECIALIST, RoomId("7QK2"), frozenset({"proc-2"}))
    for id, asker in (
        (RECORDING, elsewhere), (RECORDING, another_case), ("rNone", theirs), ("../../etc", theirs),
    ):  # fmt: skip
        with pytest.raises(UnknownRecording):
            await here.desk.entry(id, asker)
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
