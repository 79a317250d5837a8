"""REST and WebSocket of a room's recording: who may, and what is answered. No recorder runs here."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from mediaserver.audit import Actor
from mediaserver.ids import ProcedureId, RoomId
from mediaserver.policy import Role
from mediaserver.recording.control import NoRecordings, Recordings
from mediaserver.store.consents import Purpose, Revoked
from mediaserver.store.interruptions import Interruptions
from mediaserver.vault import Vault
from tests.signalling.conftest import House, Socket

PATH = "/api/v1/rooms/7QK2/recording"
START = {"action": "start", "procedure": "p1"}


class Register:
    """One procedure has consent."""

    async def permits(self, procedure: ProcedureId, purpose: str, room: RoomId) -> bool:
        return (procedure, purpose, room) == ("p1", "recording", "7QK2")

    async def revoked_since(self, *_: object) -> bool:
        return False

    async def revoked(self) -> AsyncIterator[Revoked]:
        nothing: tuple[Revoked, ...] = ()
        for one in nothing:
            yield one


@pytest.fixture
def recording(house: House) -> Iterator[House]:
    vault = Vault([bytes(range(32))])
    house.server.recordings = Recordings(house.server.registry, vault, Register())
    yield house
    house.server.recordings = NoRecordings()


async def call(house: House, method: str, headers: dict[str, str], body: Any = None) -> tuple[int, Any]:
    async with house.http.request(method, house.url + PATH, headers=headers, json=body) as response:
        return response.status, await response.json()


async def test_a_server_without_a_key_says_so(house: House) -> None:
    staff, _ = await house.join("staff")
    status, problem = await call(house, "POST", house.bearer("staff"), START)
    assert (status, problem["code"]) == (503, "recording_off")
    assert (await staff.ask("start_recording", procedure="p1"))["code"] == "recording_off"


async def test_started_shown_and_stopped(recording: House) -> None:
    observer, _ = await recording.join("observer")
    status, idle = await call(recording, "GET", recording.bearer("staff"))
    assert (status, idle) == (200, {"state": "idle", "recording": None, "since_ms": None})
    status, taken = await call(recording, "POST", recording.bearer("staff"), START)
    assert (status, taken["state"]) == (200, "recording")
    told = await observer.event("recording")
    assert (told["state"], told["recording"]) == ("recording", taken["recording"])
    _, hello = await recording.join("surgeon")
    assert hello["room"]["recording"] == {
        "recording": taken["recording"], "since_ms": taken["since_ms"], "minutes_left": None, "failing": False
    }  # fmt: skip
    assert (await call(recording, "POST", recording.bearer("staff"), START))[0] == 409
    assert await call(recording, "GET", recording.bearer("moderator")) == (200, taken)
    status, ended = await call(recording, "POST", recording.bearer("staff"), {"action": "stop"})
    assert (status, ended) == (200, {**taken, "state": "sealed"})
    assert (await observer.event("recording"))["state"] == "sealed"
    assert (await call(recording, "POST", recording.bearer("staff"), {"action": "stop"}))[0] == 409


@pytest.mark.parametrize("role", ["observer", "specialist", "operator"])
async def test_who_may_not(recording: House, role: str) -> None:
    await recording.join("surgeon")
    assert (await call(recording, "POST", recording.bearer(role), START))[0] == 403
    assert (await call(recording, "POST", recording.bearer("surgeon", "other"), START))[0] == 403


async def test_without_consent_or_room_or_procedure(recording: House) -> None:
    assert (await call(recording, "POST", recording.bearer("surgeon"), START))[0] == 404
    surgeon, _ = await recording.join("surgeon")
    body = {"action": "start", "procedure": "another"}
    status, problem = await call(recording, "POST", recording.bearer("surgeon"), body)
    assert (status, problem["code"]) == (403, "consent_missing")
    assert (await surgeon.ask("start_recording", procedure="another"))["code"] == "consent_missing"
    status, problem = await call(recording, "POST", recording.bearer("surgeon"), {"action": "start"})
    assert (status, problem["field"]) == (400, "$.procedure")


async def test_refusals_are_audited_with_who_what_and_why(recording: House) -> None:
    start, stop, staff = START, {"action": "stop"}, recording.bearer("staff")
    await call(recording, "POST", staff, start)
    await recording.join("surgeon")
    await call(recording, "POST", staff, stop)
    await call(recording, "POST", staff, {"action": "start"})
    await call(recording, "POST", staff, {"action": "start", "procedure": "another"})
    await call(recording, "POST", recording.bearer("specialist"), start)
    denied = [one for one in await recording.audited() if one.outcome == "denied"]
    assert [(one.event, json.loads(one.details or "{}")["code"]) for one in denied] == [
        ("recording.start", "unknown_room"),
        ("recording.stop", "not_recording"),
        ("recording.start", "malformed_message"),
        ("access.deny", "consent_missing"),
        ("access.deny", "not_permitted"),
    ]
    assert all(one.actor for one in denied)


async def test_by_websocket(recording: House) -> None:
    staff, _ = await recording.join("staff")
    assert (await staff.ask("start_recording", procedure="p1"))["type"] == "ok"
    assert (await staff.event("recording"))["state"] == "recording"
    assert (await staff.ask("stop_recording"))["type"] == "ok"
    assert (await staff.ask("stop_recording"))["code"] == "not_recording"
    observer, _ = await recording.join("observer")
    assert (await observer.ask("start_recording", procedure="p1"))["code"] == "not_permitted"


async def test_a_procedure_of_another_room_is_no_consent(house: House) -> None:
    store = house.store
    assert store.vault is not None
    house.server.recordings = Recordings(house.server.registry, store.vault, store.consents, store.audit)
    nurse = Actor(id="nurse", role=Role.STAFF)
    ours, theirs = [
        (await store.procedures.open(RoomId(room), "BN-1", "", (), nurse)).id for room in ("7QK2", "other")
    ]
    for procedure in (ours, theirs):
        await store.consents.break_glass(procedure, Purpose.RECORDING, "Hôn mê", nurse)
    staff, _ = await house.join("staff")
    body = {"action": "start", "procedure": theirs}
    status, problem = await call(house, "POST", house.bearer("staff"), body)
    assert (status, problem["code"]) == (403, "consent_missing")
    assert (await staff.ask("start_recording", procedure=theirs))["code"] == "consent_missing"
    started = [one for one in await house.audited() if one.event == "recording.start"]
    assert [(one.procedure, one.outcome) for one in started] == [(theirs, "denied")] * 2
    assert (await staff.ask("start_recording", procedure=ours))["type"] == "ok"
    house.server.recordings = NoRecordings()


async def test_a_recording_that_ended_with_its_room_is_told_to_whoever_enters_again(house: House) -> None:
    store = house.store
    assert store.vault is not None
    taking = house.server.recordings = Recordings(
        house.server.registry, store.vault, store.consents, store.audit, store.recordings,
        Interruptions(store.database, store.consents, store.audit),
    )  # fmt: skip
    nurse = Actor(id="nurse", role=Role.STAFF)
    procedure = (await store.procedures.open(RoomId("7QK2"), "BN-1", "", (), nurse)).id
    await store.consents.break_glass(procedure, Purpose.RECORDING, "Hôn mê", nurse)
    interruption = {"recording": None, "procedure": procedure}

    async def enter() -> Socket:
        staff, hello = await house.join("staff")
        assert hello["room"]["recording"] is None
        told = hello["room"]["interruption"] or (await staff.event("recording_interrupted"))["interruption"]
        assert told == interruption
        return staff

    async def record(staff: Socket) -> None:
        assert (await staff.ask("start_recording", procedure=procedure))["type"] == "ok"
        begun = await staff.event("recording")
        assert begun["state"] == "recording"
        interruption["recording"] = begun["recording"]

    async def settled(staff: Socket) -> None:
        while (await staff.event("recording_interrupted"))["interruption"] is not None:
            pass  # also told by hello, when it was known so early

    async def leave(staff: Socket) -> None:
        await staff.ask("leave")
        assert taking.count == 0

    staff, hello = await house.join("staff")
    assert hello["room"]["interruption"] is None
    await record(staff)
    await leave(staff)
    staff = await enter()
    await record(staff)
    await settled(staff)
    await leave(staff)
    staff = await enter()
    assert (await staff.ask("stop_recording"))["type"] == "ok"
    await settled(staff)
    assert (await staff.ask("stop_recording"))["code"] == "not_recording"
    last = [one for one in await house.audited() if one.event == "recording.stop"][-1]
    assert (last.subject, json.loads(last.details)) == (
        interruption["recording"], {"state": "left_interrupted"},
    )  # fmt: skip
    house.server.recordings = NoRecordings()
    await taking.end()
