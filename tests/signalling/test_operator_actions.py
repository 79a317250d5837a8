"""Operators' actions by REST: who may, what happens, what is audited, and the interlock of live surgeries."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, replace
from typing import Any

import pytest

from mediaserver.clinical import ClinicalClass
from mediaserver.ids import RoomId
from mediaserver.policy import Right
from signalling import operator_actions
from signalling.context import SERVICES
from tests.running import until
from tests.signalling.conftest import House
from tests.signalling.offers import offer
from tests.signalling.test_api import call

OPERATIONS = "/api/v1/operations"


@dataclass
class Stopped:
    """How often the process was asked to end."""

    times: int = 0

    def __call__(self) -> None:
        self.times += 1


@pytest.fixture
def stopped(house: House) -> Stopped:
    counted = Stopped()
    application = house.listener.runner.app
    changed = replace(application[SERVICES], stop=counted)
    application._state[SERVICES] = changed  # the application is frozen once it runs
    return counted


async def acted(house: House) -> list[tuple[str, str | None, dict[str, Any]]]:
    """Outcome, room and details of every action that the audit holds."""
    return [
        (one.outcome, one.room_name(house.store.audit.rooms), json.loads(one.details))
        for one in await house.audited()
        if one.event == "operations.act"
    ]


async def published(house: House) -> tuple[Any, str, str]:
    """A surgeon with one picture: socket, participant, publication."""
    socket, hello = await house.join("surgeon")
    answer = await socket.ask(
        "publish",
        sdp=offer(audio=False),
        sources=[{"mid": "0", "label": "scope", "source_type": "endoscope"}],
    )
    return socket, hello["participant"], answer["sources"][0]["publication"]


def paths(room: str, publication: str, participant: str) -> list[tuple[str, str, Any]]:
    """All that changes something within a room, as the operations page asks for it."""
    source = f"{OPERATIONS}/rooms/{room}/publications/{publication}"
    return [
        ("POST", f"{source}/keyframe", {}),
        ("PUT", f"{source}/muted", {"muted": True}),
        ("PUT", f"{source}/top-layer", {"layer": 0}),
        ("POST", f"{OPERATIONS}/rooms/{room}/participants/{participant}/reconnect", {}),
    ]


async def test_an_operator_acts_and_it_is_audited(house: House) -> None:
    socket, participant, publication = await published(house)
    operator = house.bearer("operator", "7QK2")
    for method, path, wish in paths("7QK2", publication, participant):
        assert (await call(house, method, path, operator, wish))[0] == 204, path
    assert await acted(house) == [
        ("success", "7QK2", {"action": "keyframe"}),
        ("success", "7QK2", {"action": "mute", "muted": True}),
        ("success", "7QK2", {"action": "top_layer", "layer": 0}),
        ("success", "7QK2", {"action": "reconnect"}),
    ]
    subjects = [one.subject for one in await house.audited() if one.event == "operations.act"]
    assert subjects == [publication, publication, publication, participant]
    closing = await socket.event("closing")
    assert closing["reconnect"] is True


MAY_NOT = {
    "a surgeon, not even of their own room": ("surgeon", "7QK2", None),
    "an operator of another room": ("operator", "other", None),
    "an operator whose right was taken away": ("operator", "*", frozenset[Right]()),
}
EVERYTHING = {
    *(f"{route.method} {route.path}" for route in operator_actions.ROUTES),
    "DELETE /api/v1/rooms/{room}/participants/{participant}",
    "DELETE /api/v1/rooms/{room}",
}
"""What docs/operations-api.md lists as changing something."""


@pytest.mark.parametrize("action", sorted(EVERYTHING))
async def test_nobody_else_may_and_the_attempt_is_audited(
    house: House, stopped: Stopped, action: str
) -> None:
    socket, participant, publication = await published(house)
    method, route = action.split()
    wishes = {
        "drain": {"override": "the building is on fire"},
        "muted": {"muted": True},
        "top-layer": {"layer": 0},
    }
    path = route.format(room="7QK2", participant=participant, publication=publication)
    refused = [who for who in MAY_NOT.values() if not (who[0] == "surgeon" and method == "DELETE")]
    if action.endswith("/drain"):
        refused.append(("operator", "7QK2", None))  # of one room, not of the server
    for role, room, rights in refused:
        bearer = house.bearer(role, room, rights=rights)
        assert (await call(house, method, path, bearer, wishes.get(path.rsplit("/")[-1], {})))[0] == 403, role
    denied = [one for one in await house.audited() if one.event == "access.deny"]
    assert [(one.outcome, one.role, json.loads(one.details)) for one in denied] == [
        ("denied", role, {"method": method, "route": route, "code": "not_permitted"})
        for role, _, _ in refused
    ]
    assert await acted(house) == []
    assert stopped.times == 0
    room_now = house.server.rooms[RoomId("7QK2")]
    assert list(room_now.members) == [participant]
    assert not room_now.publications[publication].muted  # type: ignore[index]
    assert room_now.publications[publication].top_layer is None  # type: ignore[index]
    assert (await socket.ask("ping"))["type"] == "pong"


async def test_what_is_not_there_or_no_wish(house: House) -> None:
    operator = house.bearer("operator", "*")
    _, _, publication = await published(house)
    for method, path, wish in paths("7QK2", "none", "none"):
        assert (await call(house, method, path, operator, wish))[0] == 404, path
    source = f"{OPERATIONS}/rooms/7QK2/publications/{publication}"
    for path, wish in ((f"{source}/top-layer", {"layer": 4}), (f"{source}/muted", {})):
        assert (await call(house, "PUT", path, operator, wish))[0] == 400
    assert await acted(house) == [
        ("failed", "7QK2", {"action": "keyframe", "code": "unknown_publication"}),
        ("failed", "7QK2", {"action": "mute", "muted": True, "code": "unknown_publication"}),
        ("failed", "7QK2", {"action": "top_layer", "layer": 0, "code": "unknown_publication"}),
        ("failed", "7QK2", {"action": "reconnect", "code": "unknown_participant"}),
        ("failed", "7QK2", {"action": "top_layer", "code": "malformed_message"}),
        ("failed", "7QK2", {"action": "mute", "code": "malformed_message"}),
    ]


async def test_a_live_surgery_is_interrupted_only_with_a_reason_that_is_kept(house: House) -> None:
    socket = await house.socket()
    hello = await socket.ask("join", token=house.token("surgeon", "7QK2", clinical=ClinicalClass.SURGERY))
    sources = [{"mid": "0", "label": "scope", "source_type": "endoscope"}]
    answer = await socket.ask("publish", sdp=offer(audio=False), sources=sources)
    surgeon, publication = hello["participant"], answer["sources"][0]["publication"]
    operator, source = house.bearer("operator", "*"), f"{OPERATIONS}/rooms/7QK2/publications/{publication}"
    interrupting: list[tuple[str, str, dict[str, Any] | None]] = [
        ("PUT", f"{source}/muted", {"muted": True}),
        ("POST", f"{OPERATIONS}/rooms/7QK2/participants/{surgeon}/reconnect", {}),
        ("DELETE", f"/api/v1/rooms/7QK2/participants/{surgeon}", None),
        ("DELETE", "/api/v1/rooms/7QK2", None),
    ]
    for method, path, wanted in interrupting:
        status, problem = await call(house, method, path, operator, wanted)
        assert (status, problem["code"]) == (409, "live_surgeries"), path
    room = house.server.rooms[RoomId("7QK2")]
    assert list(room.members) == [surgeon]
    assert not room.publications[publication].muted
    # What interrupts nothing needs no reason: a key frame, a limit, a source that is forwarded again.
    harmless: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", f"{source}/keyframe", {}),
        ("PUT", f"{source}/top-layer", {"layer": 0}),
        ("PUT", f"{source}/muted", {"muted": False}),
    ]
    for method, path, wish in harmless:
        assert (await call(house, method, path, operator, wish))[0] == 204, path
    _, observer = await house.join("observer", "7QK2")
    path = f"/api/v1/rooms/7QK2/participants/{observer['participant']}"
    assert (await call(house, "DELETE", path, operator))[0] == 204
    reason = {"override": "the theatre asked for it by telephone"}
    assert (await call(house, "PUT", f"{source}/muted", operator, {"muted": True, **reason}))[0] == 204
    assert (await call(house, "DELETE", f"/api/v1/rooms/7QK2/participants/{surgeon}", operator, reason))[
        0
    ] == 204
    told = await acted(house)
    refused = ("mute", "reconnect", "remove", "close_room")
    assert [details["action"] for outcome, _, details in told if outcome == "denied"] == list(refused)
    kept = [
        details["action"]
        for outcome, _, details in told
        if outcome == "success" and "sealed_reason" in details
    ]
    assert kept == ["mute", "remove"]
    assert "telephone" not in json.dumps(told)


async def test_a_moderator_of_the_room_gives_no_reason(house: House) -> None:
    socket = await house.socket()
    await socket.ask("join", token=house.token("surgeon", "7QK2", clinical=ClinicalClass.SURGERY))
    surgeon = house.bearer("surgeon", "7QK2")
    assert (await call(house, "DELETE", "/api/v1/rooms/7QK2", surgeon))[0] == 204


async def test_a_surgery_that_nobody_sampled_yet_refuses_a_restart(house: House, stopped: Stopped) -> None:
    socket = await house.socket()
    await socket.ask("join", token=house.token("surgeon", "theatre", clinical=ClinicalClass.SURGERY))
    house.parts.operations._live.clear()  # as when every second fails
    assert (await call(house, "POST", f"{OPERATIONS}/drain", house.bearer("operator", "*"), {}))[0] == 409
    assert house.parts.operations.board().live_surgeries == 1
    assert stopped.times == 0


async def live_surgery(house: House) -> None:
    socket = await house.socket()
    await socket.ask("join", token=house.token("surgeon", "theatre", clinical=ClinicalClass.SURGERY))
    await until(lambda: house.parts.operations.board().live_surgeries == 1, 5, "the board knows it")


async def test_a_live_surgery_refuses_a_restart(house: House, stopped: Stopped) -> None:
    await live_surgery(house)
    operator = house.bearer("operator", "*")
    status, problem = await call(house, "POST", f"{OPERATIONS}/drain", operator, {})
    assert (status, problem["code"]) == (409, "live_surgeries")
    assert problem["detail"] == "1 surgery live: restart refused"
    assert (await call(house, "POST", f"{OPERATIONS}/drain", operator, {"override": "short"}))[0] == 409
    assert stopped.times == 0
    drain = {"action": "drain", "live_surgeries": 1, "code": "live_surgeries"}
    assert await acted(house) == [("denied", None, drain)] * 2
    reason = {"override": "the building is on fire"}
    assert (await call(house, "POST", f"{OPERATIONS}/drain", operator, reason))[0] == 204
    assert stopped.times == 1
    outcome, room, details = (await acted(house))[-1]
    assert (outcome, room, details["live_surgeries"]) == ("success", None, 1)
    assert "fire" not in json.dumps(details)
    _, page = await call(house, "GET", "/api/v1/audit", house.bearer("auditor", "*"))
    [told] = [one["details"] for one in page["records"] if "reason" in one["details"]]
    assert told == {"action": "drain", "live_surgeries": 1, "reason": "the building is on fire"}


async def test_without_a_surgery_it_drains(house: House, stopped: Stopped) -> None:
    await house.join("observer", "teaching")
    assert (await call(house, "POST", f"{OPERATIONS}/drain", house.bearer("operator", "7QK2"), {}))[0] == 403
    assert (await call(house, "POST", f"{OPERATIONS}/drain", house.bearer("operator", "*"), {}))[0] == 204
    assert stopped.times == 1


def test_every_action_is_described() -> None:
    for route in operator_actions.ROUTES:
        assert route.request is not None
        assert route.response is None
        assert "inspect" in route.rights


def test_a_reason_that_cannot_be_kept_is_said_to_have_been_given(house: House) -> None:
    parts = dataclasses.replace(house.parts, store=None)
    operator = parts.authenticator.check(house.token("operator", "*"))
    assert operator_actions._sealed(parts, operator, "the building is on fire") == {"reason_kept": False}
