"""Operators' actions by REST: who may, what happens, what is audited, and the interlock of live surgeries."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from mediaserver.clinical import ClinicalClass
from mediaserver.ids import RoomId
from signalling import operator_actions
from signalling.context import SERVICES
from tests.running import until
from tests.signalling.conftest import House
from tests.signalling.offers import offer
from tests.signalling.test_api import call

OPERATIONS = "/api/v1/operations"


@dataclass
class Noted:
    """What was audited, and whether the process was asked to end."""

    entries: list[tuple[str, str, str | None]] = field(default_factory=list)
    stopped: int = 0

    def denied(self, action: str, *, subject: str, role: str, room: str | None) -> None:  # noqa: ARG002
        self.entries.append(("denied", action, room))

    def read(self, action: str, *, subject: str, role: str, room: str | None) -> None:  # noqa: ARG002
        self.entries.append(("read", action, room))

    def acted(self, action: str, *, subject: str, role: str, room: str | None) -> None:  # noqa: ARG002
        self.entries.append(("acted", action, room))

    def stop(self) -> None:
        self.stopped += 1


@pytest.fixture
def noted(house: House) -> Noted:
    notes = Noted()
    application = house.listener.runner.app
    changed = replace(application[SERVICES], audit=notes, stop=notes.stop)
    application._state[SERVICES] = changed  # the application is frozen once it runs
    return notes


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
    source = f"{OPERATIONS}/rooms/{room}/publications/{publication}"
    return [
        ("POST", f"{source}/keyframe", {}),
        ("PUT", f"{source}/muted", {"muted": True}),
        ("PUT", f"{source}/top-layer", {"layer": 0}),
        ("POST", f"{OPERATIONS}/rooms/{room}/participants/{participant}/reconnect", {}),
    ]


async def test_an_operator_acts_and_it_is_audited(house: House, noted: Noted) -> None:
    socket, participant, publication = await published(house)
    operator = house.bearer("operator", "7QK2")
    for method, path, wish in paths("7QK2", publication, participant):
        assert (await call(house, method, path, operator, wish))[0] == 204, path
    assert [entry for entry in noted.entries if entry[0] == "acted"] == [
        ("acted", action, "7QK2") for action in ("keyframe", "mute", "top_layer", "reconnect")
    ]
    closing = await socket.event("closing")
    assert closing["reconnect"] is True


async def test_nobody_else_may_and_the_attempt_is_audited(house: House, noted: Noted) -> None:
    _, participant, publication = await published(house)
    strangers = [house.bearer("surgeon"), house.bearer("operator", "other")]
    for bearer in strangers:
        for method, path, wish in paths("7QK2", publication, participant):
            assert (await call(house, method, path, bearer, wish))[0] == 403, path
    assert {kind for kind, _, _ in noted.entries} == {"denied"}
    assert len(noted.entries) == 8
    assert not house.server.rooms[RoomId("7QK2")].publications[publication].muted  # type: ignore[index]


async def test_what_is_not_there_or_no_wish(house: House, noted: Noted) -> None:
    operator = house.bearer("operator", "*")
    _, _, publication = await published(house)
    for method, path, wish in paths("7QK2", "none", "none"):
        assert (await call(house, method, path, operator, wish))[0] == 404, path
    source = f"{OPERATIONS}/rooms/7QK2/publications/{publication}"
    for path, wish in ((f"{source}/top-layer", {"layer": 4}), (f"{source}/muted", {})):
        assert (await call(house, "PUT", path, operator, wish))[0] == 400
    assert [entry for entry in noted.entries if entry[0] == "acted"] == []


async def live_surgery(house: House) -> None:
    socket = await house.socket()
    await socket.ask("join", token=house.token("surgeon", "theatre", clinical=ClinicalClass.SURGERY))
    await until(lambda: house.parts.operations.board().live_surgeries == 1, 5, "the board knows it")


async def test_a_live_surgery_refuses_a_restart(house: House, noted: Noted) -> None:
    await live_surgery(house)
    operator = house.bearer("operator", "*")
    status, problem = await call(house, "POST", f"{OPERATIONS}/drain", operator, {})
    assert (status, problem["code"]) == (409, "live_surgeries")
    assert problem["detail"] == "1 surgery live: restart refused"
    assert (await call(house, "POST", f"{OPERATIONS}/drain", operator, {"override": "short"}))[0] == 409
    assert noted.stopped == 0
    assert noted.entries == [("denied", "drain", None)] * 2
    reason = {"override": "the building is on fire"}
    assert (await call(house, "POST", f"{OPERATIONS}/drain", operator, reason))[0] == 204
    assert noted.stopped == 1
    assert noted.entries[-1] == ("acted", "drain_override", None)


async def test_without_a_surgery_it_drains(house: House, noted: Noted) -> None:
    await house.join("observer", "teaching")
    assert (await call(house, "POST", f"{OPERATIONS}/drain", house.bearer("operator", "7QK2"), {}))[0] == 403
    assert (await call(house, "POST", f"{OPERATIONS}/drain", house.bearer("operator", "*"), {}))[0] == 204
    assert noted.stopped == 1


def test_every_action_is_described() -> None:
    for route in operator_actions.ROUTES:
        assert route.request is not None
        assert route.response is None
        assert "inspect" in route.rights
