"""What a patient decided holds at every door of a running server, for whoever is inside, and in the audit."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from mediaserver.audit import SYSTEM
from mediaserver.clinical import ClinicalClass
from mediaserver.ids import ProcedureId, Redacted, RoomId
from mediaserver.store.consents import Consent, Decision, Purpose
from mediaserver.store.schema import now
from signalling.tokens import Audience
from tests.signalling.conftest import House
from tests.signalling.offers import offer
from tests.signalling.test_api import call
from tests.signalling.test_procedures_api import CONSENT, ONE, OPENING

SDP = {"Content-Type": "application/sdp"}
OUTSIDE, TEACHING = "outside_viewers_not_consented", "teaching_not_consented"


async def opened(house: House) -> str:
    _, procedure = await call(house, "POST", ONE, house.bearer("staff"), OPENING)
    id: str = procedure["id"]
    return id


async def decide(house: House, procedure: str, purpose: str, decision: str = "given") -> None:
    wish = {**CONSENT, "purpose": purpose, "decision": decision}
    status, answer = await call(house, "POST", f"{ONE}/{procedure}/consents", house.bearer("staff"), wish)
    assert status == 200, answer


async def asked(house: House, role: str, **more: Any) -> dict[str, Any]:
    """The answer to a join."""
    socket = await house.socket()
    return await socket.ask("join", token=house.token(role, **more), name="An")


async def post_whep(house: House) -> tuple[int, str]:
    async with house.http.post(
        f"{house.url}/whep/7QK2", data=offer("recvonly"), headers={**SDP, **house.bearer("observer")}
    ) as response:
        return response.status, (await response.json())["code"] if response.status >= 400 else ""


async def test_nobody_from_outside_comes_in_by_any_door_without_consent(house: House) -> None:
    async with house.http.post(
        f"{house.url}/whip/7QK2", data=offer(), headers={**SDP, **house.bearer("staff")}
    ):
        procedure = await opened(house)
    join = await asked(house, "observer")
    assert (join["code"], "outside" in join["message"]) == (OUTSIDE, True)
    assert await post_whep(house) == (403, OUTSIDE)
    invitation = {"Authorization": f"Bearer {house.token('observer', audience=Audience.INVITE)}"}
    status, problem = await call(house, "POST", "/api/v1/join", invitation, {})
    assert (status, problem["code"]) == (403, OUTSIDE)
    wish = {"room": "7QK2", "role": "observer"}
    status, problem = await call(house, "POST", "/api/v1/tokens", house.bearer("surgeon"), wish)
    assert (status, problem["code"]) == (403, OUTSIDE)
    denied = [one for one in await house.audited() if one.outcome == "denied"]
    assert [one.event for one in denied] == ["participant.deny", *["access.deny"] * 3]
    assert {json.loads(one.details)["code"] for one in denied} == {OUTSIDE}
    for role in ("surgeon", "staff", "moderator", "specialist"):
        assert (await asked(house, role))["type"] == "hello", role
    await decide(house, procedure, "outside_viewers")
    assert (await asked(house, "observer"))["type"] == "hello"
    assert (await post_whep(house))[0] == 201
    assert (await call(house, "POST", "/api/v1/join", invitation, {}))[0] == 200
    assert (await call(house, "POST", "/api/v1/tokens", house.bearer("surgeon"), wish))[0] == 200


async def test_a_withdrawal_sends_out_at_once_whom_it_covered(house: House) -> None:
    procedure = await opened(house)
    await decide(house, procedure, "outside_viewers")
    observer, _ = await house.join("observer")
    specialist, _ = await house.join("specialist")
    headers = {**SDP, **house.bearer("staff")}
    async with house.http.post(f"{house.url}/whip/7QK2", data=offer(), headers=headers) as published:
        assert published.status == 201
    assert (await post_whep(house))[0] == 201
    assert len(house.server.registry.http) == 2
    began = time.monotonic()
    await decide(house, procedure, "outside_viewers", "withdrawn")
    assert len(house.server.registry.http) == 1, "the WHEP viewer is out before the answer"
    closing = await observer.event("closing")
    assert (closing["reason"], closing["reconnect"]) == (OUTSIDE, False)
    assert await observer.closed() == 4412
    assert time.monotonic() - began < 2
    left = [one for one in await house.audited() if one.event == "participant.leave"]
    assert [json.loads(one.details)["reason"] for one in left] == [OUTSIDE] * 2
    assert (await specialist.ask("ping"))["type"] == "pong"
    await decide(house, procedure, "treatment_link", "refused")
    assert (await specialist.event("closing"))["reason"] == "treatment_link_declined"
    assert (await asked(house, "specialist"))["code"] == "treatment_link_declined"


async def test_an_observer_does_not_stay_when_the_next_patient_comes(house: House) -> None:
    observer, _ = await house.join("observer")
    first = await opened(house)
    assert (await observer.event("closing"))["reason"] == OUTSIDE
    await decide(house, first, "outside_viewers")
    observer, _ = await house.join("observer")
    await call(house, "POST", f"{ONE}/{first}/closing", house.bearer("staff"))
    assert (await observer.ask("ping"))["type"] == "pong"
    await opened(house)
    assert (await observer.event("closing"))["reason"] == OUTSIDE


async def test_another_process_decides_and_the_room_follows(house: House) -> None:
    procedure = ProcedureId(await opened(house))
    consent = Consent(
        purpose=Purpose.OUTSIDE_VIEWERS, decision=Decision.GIVEN, by=Redacted("An"), relation="patient",
        form="written", text_version="1", language="vi", decided_at=now(),
    )  # fmt: skip
    await house.store.consents.decide(procedure, consent, SYSTEM)
    async with asyncio.timeout(2):
        while (await asked(house, "observer"))["type"] != "hello":  # noqa: ASYNC110 - asks the server
            await asyncio.sleep(0.05)


async def test_a_class_is_neither_begun_nor_watched_without_consent_to_teaching(house: House) -> None:
    procedure = await opened(house)
    await decide(house, procedure, "outside_viewers")
    taught: dict[str, Any] = {"clinical": ClinicalClass.TEACHING}
    headers = {**SDP, **house.bearer("staff", **taught)}
    async with house.http.post(f"{house.url}/whip/7QK2", data=offer(), headers=headers) as refused:
        assert (refused.status, (await refused.json())["code"]) == (403, TEACHING)
    team = await house.socket()
    assert (await team.ask("join", token=house.token("surgeon", **taught), name="An"))["type"] == "hello"
    publish = {"sdp": offer(), "sources": [{"mid": "0", "label": "scope", "source_type": "endoscope"}]}
    assert (await team.ask("publish", **publish))["code"] == TEACHING
    for role in ("observer", "specialist"):
        assert (await asked(house, role))["code"] == TEACHING, (
            "the room is for teaching by the surgeon's token"
        )
    await decide(house, procedure, "teaching")
    assert (await asked(house, "observer"))["type"] == "hello"
    assert (await team.ask("publish", **publish)).get("code") != TEACHING
    observer, _ = await house.join("observer")
    await decide(house, procedure, "teaching", "withdrawn")
    assert (await observer.event("closing"))["reason"] == TEACHING
    assert (await team.ask("ping"))["type"] == "pong"


@pytest.mark.parametrize("purpose", ["teaching", "outside_viewers"])
async def test_no_emergency_lets_strangers_watch(house: House, purpose: str) -> None:
    procedure = await opened(house)
    wish = {"purpose": purpose, "reason": "Hôn mê"}
    path = f"{ONE}/{procedure}/break-glass"
    status, problem = await call(house, "POST", path, house.bearer("surgeon"), wish)
    assert (status, problem["code"]) == (403, "consent_missing")
    assert (await asked(house, "observer"))["code"] == OUTSIDE


async def test_what_rooms_serve_is_known_after_a_restart(house: House) -> None:
    await opened(house)
    audience = house.server.audience
    assert audience.kept is not None
    assert set(await audience.kept.read()) == {RoomId("7QK2")}
