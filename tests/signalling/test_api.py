"""REST with real clients: what it answers, who may ask, and that its description is true."""

from __future__ import annotations

import json
import re
from typing import Any

import aiohttp
import jsonschema
import pytest

from signalling import api, openapi
from signalling.tokens import Audience
from tests.signalling.conftest import House


async def call(
    house: House, method: str, path: str, headers: dict[str, str] | None = None, body: Any = None
) -> tuple[int, Any]:
    async with house.http.request(method, f"{house.url}{path}", headers=headers, json=body) as response:
        text = await response.text()
        return response.status, json.loads(text) if text else None


async def test_rooms_and_participants(house: House) -> None:
    _, hello = await house.join("surgeon", "a")
    await house.join("observer", "a")
    await house.join("surgeon", "b")
    operator = house.bearer("operator", "*")
    status, rooms = await call(house, "GET", "/api/v1/rooms", operator)
    assert status == 200
    assert rooms == {
        "rooms": [
            {"id": "a", "participants": 2, "publications": 0},
            {"id": "b", "participants": 1, "publications": 0},
        ]
    }
    status, rooms = await call(house, "GET", "/api/v1/rooms", house.bearer("operator", "b"))
    assert [room["id"] for room in rooms["rooms"]] == ["b"]
    status, room = await call(house, "GET", "/api/v1/rooms/a", operator)
    assert status == 200
    assert room["id"] == "a"
    status, people = await call(house, "GET", "/api/v1/rooms/a/participants", house.bearer("surgeon", "a"))
    assert hello["participant"] in [one["id"] for one in people["participants"]]


async def test_removing_somebody(house: House) -> None:
    stays, _ = await house.join("surgeon")
    goes, hello = await house.join("observer")
    path = f"/api/v1/rooms/7QK2/participants/{hello['participant']}"
    assert (await call(house, "DELETE", path, house.bearer("specialist")))[0] == 403
    assert (await call(house, "DELETE", path.replace("7QK2", "other"), house.bearer("moderator", "other")))[
        0
    ] == 404
    assert (await call(house, "DELETE", path, house.bearer("moderator")))[0] == 204
    assert (await goes.event("closing"))["reason"] == "removed"
    assert await goes.closed() == 4412
    await stays.event("participant_left")
    assert (await call(house, "DELETE", path, house.bearer("moderator")))[0] == 404


async def test_ending_a_room_for_everyone(house: House) -> None:
    sockets = [(await house.join(role))[0] for role in ("surgeon", "observer")]
    path = "/api/v1/rooms/7QK2"
    for role in ("staff", "specialist", "observer", "auditor"):
        assert (await call(house, "DELETE", path, house.bearer(role)))[0] == 403
    for role in ("surgeon", "moderator", "operator"):
        assert (await call(house, "DELETE", path, house.bearer(role, "other")))[0] == 403
    assert (await call(house, "DELETE", "/api/v1/rooms/none", house.bearer("moderator", "none")))[0] == 404
    assert (await call(house, "DELETE", path, house.bearer("moderator")))[0] == 204
    for socket in sockets:
        assert (await socket.event("closing"))["reason"] == "room_closed"
        assert await socket.closed() == 4412
    assert (await house.join("observer"))[1]["type"] == "hello", "the room may be entered again"


async def test_an_invitation_opens_the_room_and_can_be_withdrawn(house: House) -> None:
    surgeon = house.bearer("surgeon")
    status, invited = await call(
        house, "POST", "/api/v1/tokens", surgeon, {"room": "7QK2", "role": "specialist", "name": "Dr B"}
    )
    assert status == 200
    assert invited["page"] == "/consult/7QK2"
    assert invited["kind"] == "invitation"
    bearer = {"Authorization": f"Bearer {invited['token']}"}
    status, joined = await call(house, "POST", "/api/v1/join", bearer, {"name": "other"})
    assert (status, joined["room"], joined["role"]) == (200, "7QK2", "specialist")
    socket = await house.socket()
    hello = await socket.ask("join", token=joined["token"])
    assert hello["room"]["participants"][0]["name"] == "Dr B"
    status, _ = await call(
        house, "POST", "/api/v1/revocations", house.bearer("staff"), {"token": invited["token"]}
    )
    assert status == 403
    status, _ = await call(house, "POST", "/api/v1/revocations", surgeon, {"token": invited["token"]})
    assert status == 204
    assert await socket.closed() == 4412
    assert (await call(house, "POST", "/api/v1/join", bearer, {}))[0] == 401
    again = await house.socket()
    assert (await again.ask("join", token=joined["token"]))["code"] in ("unauthorized", "token_used")


@pytest.mark.parametrize("path", [route.path for route in api.ROUTES if route.bearer != "an invitation"])
async def test_an_invitation_opens_nothing_else(house: House, path: str) -> None:
    route = next(route for route in api.ROUTES if route.path == path)
    path = re.sub(r"\{\w+\}", "1", path.replace("{room}", "7QK2"))
    status, _ = await call(house, route.method, path, house.bearer("surgeon", audience=Audience.INVITE), {})
    assert status == 401


async def test_nobody_makes_tokens_above_themselves(house: House) -> None:
    ask = {"room": "7QK2", "role": "surgeon"}
    assert (await call(house, "POST", "/api/v1/tokens", house.bearer("moderator"), ask))[0] == 403
    assert (await call(house, "POST", "/api/v1/tokens", house.bearer("operator"), ask))[0] == 403
    assert (await call(house, "POST", "/api/v1/tokens", house.bearer("surgeon", "other"), ask))[0] == 403
    assert (await call(house, "POST", "/api/v1/tokens", house.bearer("surgeon"), ask))[0] == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "$.room"),
        ({"room": "7QK2"}, "$.role"),
        ({"room": "../x", "role": "observer"}, "$.room"),
        ({"room": "7QK2", "role": "god"}, "$.role"),
        ({"room": "7QK2", "role": "observer", "x": 1}, "$.x"),
        ({"room": "7QK2", "role": "observer", "lifetime_seconds": 5}, "$.lifetime_seconds"),
        ({"room": "7QK2", "role": "observer", "kind": "join", "lifetime_seconds": 601}, "$.lifetime_seconds"),
    ],
)
async def test_a_wrong_body_is_told_with_its_field(house: House, body: Any, field: str) -> None:
    status, problem = await call(house, "POST", "/api/v1/tokens", house.bearer("surgeon"), body)
    assert (status, problem["field"]) == (400, field)


async def test_state_is_changed_only_by_json(house: House) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        response = await house.http.post(
            f"{house.url}/api/v1/tokens",
            data=b"{}",
            headers={**house.bearer("surgeon"), "Content-Type": kind},
        )
        assert response.status == 415


# ---- The description ----


def test_the_description_is_valid_and_refers_to_what_it_has() -> None:
    described = openapi.document(api.ROUTES, "0")
    text = json.dumps(described)
    for reference in {part.split('"')[0] for part in text.split('"$ref": "#/components/schemas/')[1:]}:
        assert reference in described["components"]["schemas"]
    for schema in described["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    operations = [
        operation["operationId"] for path in described["paths"].values() for operation in path.values()
    ]
    assert len(set(operations)) == len(operations) == len(api.ROUTES)


@pytest.mark.slow
async def test_schemathesis_finds_nothing(house: House) -> None:
    """Generated requests against the running server: no 5xx, every answer as described."""
    import asyncio

    import schemathesis
    from hypothesis import HealthCheck, given
    from hypothesis import settings as effort

    token = house.token("surgeon")
    schema = await asyncio.to_thread(schemathesis.openapi.from_url, f"{house.url}/api/openapi.json")

    def run() -> int:
        tried = 0
        for found in schema.get_all_operations():
            operation = found.ok()  # type: ignore[union-attr]

            @given(case=operation.as_strategy())
            @effort(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None)
            def attempt(case: Any) -> None:
                nonlocal tried
                tried += 1
                # JSON Schema calls 7.0 an integer; this server does not.
                case.call_and_validate(
                    headers={"Authorization": f"Bearer {token}"},
                    excluded_checks=[schemathesis.checks.CHECKS.get_one("positive_data_acceptance")],
                )

            attempt()
        return tried

    assert await asyncio.to_thread(run) >= 25
    async with aiohttp.ClientSession() as fresh, fresh.get(f"{house.url}/livez") as response:
        assert response.status == 200
