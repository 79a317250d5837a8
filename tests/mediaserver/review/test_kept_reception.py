"""What each viewer got is sealed once, soon after the end, and by whoever runs next after a crash."""

from __future__ import annotations

import asyncio

import pytest

import mediaserver.review.kept_reception as waiting_module
from mediaserver.ids import RecordingId
from mediaserver.recording.annex import Annex
from mediaserver.recording.manifest import Manifest, verify
from mediaserver.review.kept_reception import KeptReception, sealed
from mediaserver.tasks import end_tasks
from tests.mediaserver.review.recorded import RECORDING
from tests.signalling.conftest import OpenHouse, open_house  # noqa: F401 - a fixture
from tests.signalling.reviewing import Reviewed, reviewed
from tests.signalling.test_reception_api import remember


async def keeping(here: Reviewed) -> KeptReception:
    """As after a start."""
    history = here.house.parts.operations.store.database
    made = KeptReception(here.desk.roots, here.desk.vault, history, asyncio.Queue())
    await made.find()
    return made


async def test_it_is_sealed_once_and_named_by_the_manifest(open_house: OpenHouse) -> None:  # noqa: F811
    here = await reviewed(open_house)
    folder = await here.desk.folder(RECORDING)
    await remember(here, "7QK2")
    first = await keeping(here)
    assert (await first.step(), await first.step(), await (await keeping(here)).step()) == (1, 0, 0)
    report = sealed(folder, here.desk.vault)
    assert report is not None
    assert [one.role for one in report.viewers] == ["observer"]
    assert verify(folder, here.desk.vault).awaited == ()


async def test_that_the_history_knows_nothing_is_sealed_too(open_house: OpenHouse) -> None:  # noqa: F811
    here = await reviewed(open_house)
    assert await (await keeping(here)).step() == 1
    folder = await here.desk.folder(RECORDING)
    assert sealed(folder, here.desk.vault) is None
    assert verify(folder, here.desk.vault).awaited == ()
    assert await (await keeping(here)).step() == 0


async def test_one_that_ends_later_is_told_of(
    open_house: OpenHouse,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = await reviewed(open_house)
    with monkeypatch.context() as patch:
        patch.setattr(Manifest, "ended", lambda _: False)
        waiting = await keeping(here)
    assert await waiting.step() == 0
    looked: list[object] = []

    def look(*place: object) -> list[object]:
        looked.append(place)
        return []

    monkeypatch.setattr(waiting_module, "folders", look)
    monkeypatch.setattr(waiting_module, "SETTLED_SECONDS", 0.0)
    running = asyncio.create_task(waiting.run())
    waiting.ended.put_nowait(RECORDING)
    async with asyncio.timeout(5):
        while not Annex(await here.desk.folder(RECORDING), here.desk.vault).settled():  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    assert len(looked) == 1, "all folders are looked through at the start alone"
    await end_tasks([running])


async def test_one_that_is_too_young_waits(
    open_house: OpenHouse,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = await reviewed(open_house)
    waiting = await keeping(here)
    seconds = 1000.0
    waiting.now = lambda: seconds
    waiting.hear(RECORDING)
    # A wall clock that is set has no part in it.
    monkeypatch.setattr("time.time", lambda: 1e12)
    assert await waiting.step() == 0
    seconds += waiting_module.SETTLED_SECONDS
    assert (await waiting.step(), await waiting.step()) == (1, 0)


async def test_one_that_cannot_be_read_holds_up_no_other(open_house: OpenHouse) -> None:  # noqa: F811
    here = await reviewed(open_house)
    waiting = await keeping(here)
    waiting._waiting[RecordingId("rgone")] = 0.0
    assert (await waiting.step(), await waiting.step()) == (1, 0)
    assert waiting._waiting == {}
