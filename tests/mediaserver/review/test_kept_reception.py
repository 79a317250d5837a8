"""What each viewer got is sealed once, soon after the end, and by whoever runs next after a crash."""

from __future__ import annotations

import pytest

from mediaserver.recording.annex import Annex
from mediaserver.recording.manifest import Manifest
from mediaserver.review.kept_reception import KeptReception, sealed
from tests.mediaserver.review.recorded import RECORDING
from tests.signalling.conftest import OpenHouse, open_house  # noqa: F401 - a fixture
from tests.signalling.reviewing import Reviewed, reviewed
from tests.signalling.test_reception_api import remember


def keeping(here: Reviewed) -> KeptReception:
    return KeptReception(here.desk.roots, here.desk.vault, here.house.parts.operations.store.database)


async def test_it_is_sealed_once_and_bound_to_the_recording(open_house: OpenHouse) -> None:  # noqa: F811
    here = await reviewed(open_house)
    folder = here.desk.folder(RECORDING)
    assert await keeping(here).step() == 0, "the history knows nothing: nothing is sealed"
    await remember(here, "7QK2")
    first = keeping(here)
    assert (await first.step(), await first.step(), await keeping(here).step()) == (1, 0, 0)
    report = sealed(folder, here.desk.vault)
    assert report is not None
    assert [one.role for one in report.viewers] == ["observer"]
    Annex(folder).check(Manifest(folder, here.desk.vault).head(), here.desk.vault)


async def test_one_that_has_not_ended_waits(
    open_house: OpenHouse,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = await reviewed(open_house)
    await remember(here, "7QK2")
    waiting = keeping(here)
    with monkeypatch.context() as patch:
        patch.setattr(Manifest, "ended", lambda _: False)
        assert await waiting.step() == 0
    assert await waiting.step() == 1
