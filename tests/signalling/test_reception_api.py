"""What each viewer got is told to who may review, from the history, and audited."""

from __future__ import annotations

import asyncio

import pytest

from mediaserver.policy import Role
from mediaserver.review.kept_reception import KeptReception
from signalling import reception_api
from tests.mediaserver.review.recorded import RECORDING, STARTED_AT
from tests.mediaserver.seconds import observer, surgeon
from tests.signalling.conftest import OpenHouse
from tests.signalling.reviewing import Reviewed, reviewed

PATH = f"/{RECORDING}/reception"
STARTED_MS = round(STARTED_AT.timestamp() * 1000)


@pytest.fixture
async def here(open_house: OpenHouse) -> Reviewed:
    return await reviewed(open_house)


async def remember(here: Reviewed, room: str) -> None:
    store = here.house.parts.operations.store
    span = store.open_span(room, None, STARTED_MS)
    for second in range(8):
        at_ms = STARTED_MS + second * 1000
        store.add_samples(span, at_ms, [surgeon(at_ms), observer(at_ms, step="full")])
    await store.database.flush()


async def test_the_history_of_the_room_and_time_is_told(here: Reviewed) -> None:
    await remember(here, "7QK2")
    response = await here.ask("GET", PATH)
    assert response.status == 200
    assert await response.json() == {
        "viewers": [
            {
                "participant": "observer-1",
                "role": "observer",
                "runs": [{"start": 0.0, "end": 8.0, "level": "full", "reason": None}],
            }
        ],
        "known_from": 0.0,
        "complete": True,
    }
    assert ("recording.review", "success", RECORDING) in await here.audited()


async def test_another_rooms_history_is_not(here: Reviewed) -> None:
    await remember(here, "OTHER")
    response = await here.ask("GET", PATH)
    assert await response.json() == {"viewers": [], "known_from": None, "complete": True}


@pytest.mark.parametrize(
    ("role", "room", "status"),
    [(None, "7QK2", 401), (Role.OBSERVER, "7QK2", 403), (Role.SURGEON, "OTHER", 404)],
)
async def test_others_are_told_nothing(here: Reviewed, role: Role | None, room: str, status: int) -> None:
    assert (await here.ask("GET", PATH, role=role, room=room)).status == status


async def test_what_was_sealed_with_the_recording_outlives_the_history(
    here: Reviewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    await remember(here, "7QK2")
    first = await (await here.ask("GET", PATH)).json()
    history = here.house.parts.operations.store.database
    keeping = KeptReception(here.desk.roots, here.desk.vault, history, asyncio.Queue())
    await keeping.find()
    assert await keeping.step() == 1
    monkeypatch.setattr(reception_api, "gather", None)
    assert await (await here.ask("GET", PATH)).json() == first
