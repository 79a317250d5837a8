"""The desk tells alike of what is not there and what is not for the asker, and ends what it began."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mediaserver.ids import RoomId
from mediaserver.policy import Role
from mediaserver.review.desk import Asker
from mediaserver.review.views import Seen
from mediaserver.store.audit import AuditTrail, find
from mediaserver.store.recordings import UnknownRecording
from tests.mediaserver.review.recorded import RECORDING
from tests.running import until
from tests.signalling.conftest import OpenHouse, open_house  # noqa: F401 - a fixture
from tests.signalling.reviewing import Reviewed, reviewed


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
        await here.desk.folder("../../etc")


async def test_closing_ends_views_and_tells_the_audit(open_house: OpenHouse, tmp_path: Path) -> None:  # noqa: F811
    here = await reviewed(open_house)
    await here.open()
    assert len(here.desk.views) == 1
    await here.desk.close()
    assert len(here.desk.views) == 0
    assert ("view.stop", "success", RECORDING) in await here.audited()
    assert not (tmp_path / "data" / "exports").exists()


async def test_what_is_watched_is_told_while_it_lasts(
    open_house: OpenHouse,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mediaserver.review.desk.SWEEP_SECONDS", 0.01)
    here = await reviewed(open_house)
    await here.open()
    [view] = here.desk.views.all()
    for track, numbers, told in (("t-cam-a", (0, 1), "0-3,5-8"), ("t-mic", (0,), "2-6")):
        for number in numbers:
            view.note(view.track(track), view.segment(view.track(track), number))
        await until(lambda: view.fresh == Seen(), 10, "the round of a minute")
        assert await continued(here) == {"view": view.id, f"watched.{track}": told}
    count = len(await here.audited())
    here.desk.tell_watched()
    assert len(await here.audited()) == count, "nothing new, nothing told"
    assert "view.stop" not in [event for event, _, _ in await here.audited()], "a kill now loses nothing told"


async def continued(here: Reviewed) -> dict[str, Any]:
    """Details of the last record that somebody still watches."""
    assert isinstance(here.desk.audit, AuditTrail)
    await here.desk.audit.flush()
    records = await here.desk.audit.database.read(find)
    found: dict[str, Any] = json.loads([one for one in records if one.event == "view.continue"][-1].details)
    return found
