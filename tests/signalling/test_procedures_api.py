"""Procedures and consents over REST: who may, what is told, and that all of it is in the audit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mediaserver.ids import ProcedureId, RecordingId, RoomId
from mediaserver.store.audit import find
from tests.signalling.conftest import House
from tests.signalling.test_api import call

OPENING = {
    "room": "7QK2",
    "reference": "BN-0042",
    "title": "Cắt túi mật",
    "staff": [{"role": "surgeon", "name": "Đặng Thị Hồng"}],
}
CONSENT = {
    "purpose": "recording",
    "decision": "given",
    "by": "Nguyễn Văn Ánh",
    "relation": "patient",
    "form": "written",
    "text_version": "1",
    "language": "vi",
}
ONE = "/api/v1/procedures"


async def opened(house: House, role: str = "staff") -> dict[str, Any]:
    status, procedure = await call(house, "POST", ONE, house.bearer(role), OPENING)
    assert status == 200, procedure
    found: dict[str, Any] = procedure
    return found


def permitted(state: dict[str, Any]) -> set[str]:
    return {one["purpose"] for one in state["purposes"] if one["permitted"]}


async def events(house: House) -> list[str]:
    await house.store.audit.flush()
    return [record.event for record in await house.store.database.read(find)]


async def test_how_long_its_recordings_are_kept_is_chosen_with_it(house: House) -> None:
    wish = OPENING | {"retention_class": "teaching"}
    _, procedure = await call(house, "POST", ONE, house.bearer("staff"), wish)
    assert procedure["retention_class"] == "teaching"
    id, room = ProcedureId(procedure["id"]), RoomId("7QK2")
    row = await house.store.recordings.begin(RecordingId("r1"), id, room, datetime.now(UTC))
    assert row.retention_class == "teaching"
    status, _ = await call(house, "POST", ONE, house.bearer("staff"), OPENING | {"retention_class": "none"})
    assert status == 400


async def test_from_opening_to_closing(house: House) -> None:
    staff = house.bearer("staff")
    procedure = await opened(house)
    assert procedure["reference"] == "BN-0042"
    assert procedure["staff"] == OPENING["staff"]
    assert procedure["retention_class"] == "clinical"
    assert [one["purpose"] for one in procedure["purposes"]] == [
        "treatment_link", "recording", "teaching", "outside_viewers",
    ]  # fmt: skip
    assert permitted(procedure) == set()
    assert (await call(house, "POST", ONE, staff, OPENING))[0] == 409
    path = f"{ONE}/{procedure['id']}"
    status, register = await call(house, "POST", f"{path}/consents", staff, CONSENT)
    assert (status, permitted(register)) == (200, {"recording"})
    assert register["history"][0]["by"] == "Nguyễn Văn Ánh"
    assert await house.store.consents.permits(ProcedureId(procedure["id"]), "recording")
    status, register = await call(
        house, "POST", f"{path}/consents", staff, {**CONSENT, "decision": "withdrawn"}
    )
    assert (status, permitted(register)) == (200, set())
    assert (await call(house, "POST", f"{path}/consents", staff, {**CONSENT, "decision": "withdrawn"}))[
        0
    ] == 409
    assert (await call(house, "POST", f"{path}/confirmation", staff))[1]["confirmed_at"] is not None
    assert (await call(house, "POST", f"{path}/closing", staff))[1]["closed_at"] is not None
    assert (await call(house, "POST", f"{path}/consents", staff, CONSENT))[0] == 409
    status, listed = await call(house, "GET", "/api/v1/rooms/7QK2/procedures", staff)
    assert [one["id"] for one in listed["procedures"]] == [procedure["id"]]
    assert (await call(house, "GET", path, staff))[1] == listed["procedures"][0]
    assert (await call(house, "GET", f"{path}/consents", house.bearer("auditor", "*")))[0] == 200
    assert await events(house) == [
        "audit.start", "patient.bind", "consent.give", "consent.withdraw", "patient.confirm", "session.end",
    ]  # fmt: skip


async def test_who_may_not_is_refused_and_audited(house: House) -> None:
    procedure = await opened(house)
    path = f"{ONE}/{procedure['id']}"
    refused = [
        ("POST", ONE, house.bearer("observer"), OPENING),
        ("POST", ONE, house.bearer("specialist"), OPENING),
        ("POST", ONE, house.bearer("operator", "*"), OPENING),
        ("POST", ONE, house.bearer("staff", "other"), OPENING),
        ("GET", path, house.bearer("observer"), None),
        ("GET", path, house.bearer("operator", "*"), None),
        ("POST", f"{path}/consents", house.bearer("auditor", "*"), CONSENT),
        ("GET", f"{path}/consents", house.bearer("specialist"), None),
        ("GET", "/api/v1/rooms/7QK2/procedures", house.bearer("staff", "other"), None),
        ("GET", "/api/v1/break-glass", house.bearer("surgeon"), None),
    ]
    for method, where, who, sent in refused:
        assert (await call(house, method, where, who, sent))[0] == 403, (method, where)
    assert (await events(house)).count("access.deny") == len(refused)
    assert (await call(house, "GET", path, house.bearer("staff", "other")))[0] == 404
    assert (await call(house, "GET", path))[0] == 401
    assert (await events(house)).count("access.deny") == len(refused), "strangers leave no record"


async def test_break_glass_and_its_review(house: House) -> None:
    procedure = await opened(house)
    path = f"{ONE}/{procedure['id']}"
    surgeon, auditor = house.bearer("surgeon"), house.bearer("auditor", "*")
    wish = {"purpose": "recording", "reason": "Hôn mê"}
    status, state = await call(house, "POST", f"{path}/break-glass", surgeon, wish)
    assert (status, permitted(state)) == (200, {"recording"})
    assert next(one for one in state["purposes"] if one["purpose"] == "recording")["by_break_glass"]
    _, waiting = await call(house, "GET", "/api/v1/break-glass", auditor)
    [entry] = waiting["waiting"]
    assert (entry["procedure"], entry["reason"]) == (procedure["id"], "Hôn mê")
    review = f"{path}/break-glass/{entry['id']}/review"
    assert (await call(house, "POST", review, surgeon, {"finding": "x"}))[0] == 403
    assert (await call(house, "POST", review, auditor, {"finding": "Đúng"}))[1]["finding"] == "Đúng"
    assert (await call(house, "POST", review, auditor, {"finding": "x"}))[0] == 404
    assert (await call(house, "POST", review.replace(str(entry["id"]), "x"), auditor, {"finding": "x"}))[
        0
    ] == 404
    refusal = {**CONSENT, "decision": "refused"}
    assert permitted((await call(house, "POST", f"{path}/consents", surgeon, refusal))[1]) == set()
    status, problem = await call(house, "POST", f"{path}/break-glass", surgeon, wish)
    assert (status, problem["code"]) == (403, "consent_missing")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"reference": ""}, "$.reference"),
        ({"reference": "\u200b"}, "$.reference"),
        ({"room": "../x"}, "$.room"),
        ({"staff": [{"role": "god", "name": "x"}]}, "$.staff[0].role"),
        ({"staff": [{"role": "staff", "name": " "}]}, "$.staff[0].name"),
        ({"more": 1}, "$.more"),
    ],
)
async def test_a_wrong_body_is_told_with_its_field(house: House, change: dict[str, Any], field: str) -> None:
    status, problem = await call(house, "POST", ONE, house.bearer("staff"), OPENING | change)
    assert (status, problem["field"]) == (400, field)


async def test_without_a_master_key_it_says_what_to_do(open_house: Any) -> None:
    house = await open_house({"recording": {}})
    status, problem = await call(house, "POST", ONE, house.bearer("staff"), OPENING)
    assert (status, problem["code"]) == (503, "no_master_key")
    _, listed = await call(house, "GET", "/api/v1/rooms/7QK2/procedures", house.bearer("staff"))
    assert listed == {"procedures": [], "unavailable": "no_master_key"}


async def test_live_events_belong_to_the_procedure_the_room_serves(house: House) -> None:
    procedure = await opened(house)
    socket, hello = await house.join("specialist")
    await socket.ask("leave")
    await socket.closed()
    await house.store.audit.flush()
    records = await house.store.database.read(find)
    came = next(record for record in records if record.event == "participant.admit")
    assert (came.procedure, came.actor, came.role) == (procedure["id"], hello["participant"], "specialist")
    assert came.address_class == "loopback"
    assert house.store.vault is not None
    assert came.actor_name(house.store.vault) == "Dr Ánh"
    assert [record.event for record in records][-1] == "participant.leave"
