"""What a recording is studied for: teaching by consent alone, also long after the procedure."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from mediaserver.audience import TeachingNotConsented
from mediaserver.audit import SYSTEM
from mediaserver.clinical import ClinicalClass
from mediaserver.ids import ProcedureId
from mediaserver.policy import Role
from mediaserver.review.purposes import Use, stated
from mediaserver.store.consents import Decision, Purpose
from tests.mediaserver.review.recorded import RECORDING
from tests.mediaserver.store.test_consents import decision
from tests.signalling.conftest import OpenHouse, open_house  # noqa: F401 - a fixture
from tests.signalling.reviewing import PROCEDURE, Reviewed, reviewed

ONE = ProcedureId(PROCEDURE)
SEGMENT = f"/{RECORDING}/tracks/t-cam-a/segments/0"
FILM = {"form": "mp4", "tracks": ["t-cam-a"], "use": "teaching"}


def test_whoever_came_to_be_taught_is_taught() -> None:
    assert stated(Use.CARE, ClinicalClass.TEACHING) is Use.TEACHING
    assert stated(Use.QUALITY, ClinicalClass.SURGERY) is Use.QUALITY
    assert stated(Use.CARE, None) is Use.CARE


async def test_teaching_needs_a_consent_of_its_own(open_house: OpenHouse) -> None:  # noqa: F811
    here = await reviewed(open_house)
    for use in (Use.CARE, Use.QUALITY):
        await here.desk.will.check(Role.SURGEON, use, ONE)
    for procedure in (ONE, ProcedureId("lost")):
        with pytest.raises(TeachingNotConsented):
            await here.desk.will.check(Role.SURGEON, Use.TEACHING, procedure)
    assert (await refused(here, "views", {"use": "teaching"})) == "teaching_not_consented"
    assert (await refused(here, "exports", FILM)) == "teaching_not_consented"
    pupil = here.house.bearer("specialist", clinical=ClinicalClass.TEACHING, procedure=PROCEDURE)
    answer = await here.ask("POST", f"/{RECORDING}/views", role=None, headers=pupil, json={"use": "care"})
    assert answer.status == 403, "a pupil's own words do not help"
    assert [one[1] for one in await here.audited() if one[0] == "access.deny"] == ["denied"] * 3


async def refused(here: Reviewed, what: str, wish: dict[str, Any]) -> str:
    answer = await here.ask("POST", f"/{RECORDING}/{what}", json=wish)
    assert answer.status == 403
    code: str = (await answer.json())["code"]
    return code


async def test_a_withdrawal_ends_what_is_taught_and_nothing_else(open_house: OpenHouse) -> None:  # noqa: F811
    here = await reviewed(open_house)
    consents = here.desk.will.consents
    given = decision(Decision.GIVEN, Purpose.TEACHING)
    await consents.decide(ONE, given, SYSTEM)
    assert (await here.open(use="teaching"))["use"] == "teaching"
    assert (await here.ask("POST", f"/{RECORDING}/exports", json=FILM)).status == 200
    for_care = await here.ask("POST", f"/{RECORDING}/exports", json={**FILM, "use": "care"})
    assert for_care.status == 200
    assert (await here.ask("GET", SEGMENT, role=None)).status == 200
    await consents.decide(ONE, decision(Decision.WITHDRAWN, Purpose.TEACHING), SYSTEM)
    async with asyncio.timeout(2):
        while (await here.ask("GET", SEGMENT, role=None)).status != 401:  # noqa: ASYNC110 - asks the server
            await asyncio.sleep(0.02)
    kept = (await (await here.ask("GET", f"/{RECORDING}/exports")).json())["exports"]
    assert [one["id"] for one in kept] == [(await for_care.json())["id"]]
    records = await here.house.audited()
    begun = [json.loads(one.details) for one in records if one.event in ("view.start", "recording.export")]
    assert [one["use"] for one in begun if "use" in one] == ["teaching", "teaching", "care"]
    assert [one.event for one in records].count("view.stop") == 1
