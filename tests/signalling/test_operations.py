"""The operations interface with real clients: who may ask, what is audited, answered and refused."""

from __future__ import annotations

import json
import threading
import time
from types import ModuleType
from typing import Any

import jsonschema
import msgspec
import pytest

from mediaserver.clinical import ClinicalClass
from mediaserver.incident import page, report
from mediaserver.operations import model
from mediaserver.operations.model import Finding
from mediaserver.policy import Role
from mediaserver.quality_history import query
from signalling import api, openapi, operations, operator_actions
from signalling.operations import DROPPED_BEFORE
from tests.running import until
from tests.signalling.conftest import House, OpenHouse

PREFIX = operations.PREFIX
PATHS = [path.replace("{room}", "7QK2") for path in (route.path for route in operations.routes())]


async def audited(house: House) -> list[tuple[str, str]]:
    """What the audit holds of the operations interface: event and, of a refusal, the route it was for."""
    return [
        (one.event, json.loads(one.details).get("read") or json.loads(one.details)["route"])
        for one in await house.audited()
        if one.event in ("operations.read", "access.deny")
    ]


async def get(
    house: House, path: str, role: str = "operator", room: str = "*", **more: Any
) -> tuple[int, Any]:
    headers = house.bearer(role, room, **more)
    async with house.http.get(f"{house.url}{path}", headers=headers) as response:
        text = await response.text()
        return response.status, json.loads(text) if response.content_type.endswith("json") else text


async def sampled(house: House) -> None:
    """Until the desk has seen the room."""
    await until(lambda: bool(house.parts.operations.board().rows), what="the first second")
    await house.parts.operations.store.database.flush()


@pytest.mark.parametrize("path", PATHS)
async def test_who_does_not_inspect_is_refused_and_audited(house: House, path: str) -> None:
    for role in (role for role in Role if role is not Role.OPERATOR):
        assert (await get(house, path, role.value, "7QK2"))[0] == 403
    [route] = [one.path for one in operations.routes() if one.path.replace("{room}", "7QK2") == path]
    assert await audited(house) == [("access.deny", route)] * (len(Role) - 1)
    async with house.http.get(f"{house.url}{path}") as response:
        assert response.status == 401


async def test_an_operator_of_another_room_sees_nothing_of_this_one(house: House) -> None:
    await house.join("surgeon")
    await sampled(house)
    assert (await get(house, f"{PREFIX}/rooms/7QK2", room="other"))[0] == 403
    assert (await get(house, f"{PREFIX}/rooms?room=7QK2", room="other"))[0] == 403
    status, board = await get(house, f"{PREFIX}/board", room="other")
    assert (status, board["rows"]) == (200, [])
    assert (await get(house, f"{PREFIX}/rooms", room="other"))[1]["spans"] == []
    assert await audited(house) == [
        ("access.deny", f"{PREFIX}/rooms/{{room}}"),
        ("access.deny", f"{PREFIX}/rooms"),
        ("operations.read", "rooms"),
    ]


async def test_answers_are_of_their_types_and_readings_are_audited(house: House) -> None:
    await house.join("surgeon")
    await sampled(house)
    for route in operations.ROUTES:
        status, body = await get(house, route.path.replace("{room}", "7QK2"))
        assert status == 200, (route.path, body)
        assert route.response is not None
        msgspec.convert(body, route.response)
        assert "Dr Ánh" not in json.dumps(body, ensure_ascii=False)
    assert await audited(house) == [
        ("operations.read", "rooms"),
        ("operations.read", "live"),
        ("operations.read", "history"),
        ("operations.read", "timeline"),
        ("operations.read", "report"),
        ("operations.read", "alerts"),
    ]
    [*_, newest, _] = await house.audited()
    assert (newest.room_name(house.store.audit.rooms), newest.role, newest.address_class) == (
        "7QK2",
        "operator",
        "loopback",
    )


async def test_who_reads_a_rooms_past_is_audited_once_whatever_the_page(house: House) -> None:
    paths = ("history?cursor=0.0", "history", "timeline?cursor=0.0", "timeline", "history.csv", "report")
    for path in (*paths, *paths, "report.html"):
        assert (await get(house, f"{PREFIX}/rooms/7QK2/{path}", subject="one"))[0] == 200
    reads = [("operations.read", what) for what in ("history", "timeline", "export", "report")]
    assert await audited(house) == reads
    assert (await get(house, f"{PREFIX}/rooms/7QK2/history", subject="another"))[0] == 200
    assert await audited(house) == [*reads, ("operations.read", "history")]


async def test_each_time_that_is_read_is_in_the_audit_and_a_page_that_follows_is_once(house: House) -> None:
    now_ms = time.time_ns() // 1_000_000
    for path in ("history", f"history?from={now_ms - 9000}", f"history?from={now_ms - 5000}"):
        await get(house, f"{PREFIX}/rooms/7QK2/{path}", subject="one")
    for question in ("from=1000&to=2000", "from=1000&to=2000&cursor=0.0", "from=0", "from=5&to=9"):
        assert (await get(house, f"{PREFIX}/rooms/7QK2/history?{question}", subject="one"))[0] == 200
    told = [json.loads(one.details) for one in await house.audited() if one.event == "operations.read"]
    assert [one["from_ms"] for one in told[1:]] == [1000, 0, 5]
    assert [one["to_ms"] for one in told if one["from_ms"]][1:] == [2000, 9]


async def test_a_refusal_names_the_room_asked_for_once_in_ten_minutes(house: House) -> None:
    for room in ("7QK2", "7QK2", "ward", "7QK2"):
        assert (await get(house, f"{PREFIX}/rooms/{room}", room="other", subject="one"))[0] == 403
    denied = [one for one in await house.audited() if one.event == "access.deny"]
    assert [one.room_name(house.store.audit.rooms) for one in denied] == ["7QK2", "ward"]


async def test_open_alerts_need_no_history_and_no_time(house: House) -> None:
    desk = house.parts.operations
    for room, cause in (("theatre", "clock"), ("ward", "clock"), (None, "server_overload")):
        lasts = Finding(cause=cause, severity="hurt", evidence=())  # type: ignore[arg-type]
        desk.alerts.second(room, ClinicalClass.SURGERY, [lasts], 1)
    desk.store.database.path.unlink()

    async def rung(query: str = "", room: str = "*") -> list[str | None]:
        status, page = await get(house, f"{PREFIX}/alerts?open=true{query}", room=room)
        assert (status, page["next"]) == (200, None)
        return [one["room"] for one in page["alerts"]]

    assert await rung() == ["theatre", "ward", None]
    assert await rung("&room=ward") == ["ward"]
    assert await rung("&limit=1") == ["theatre"]
    assert await rung(room="ward") == ["ward", None]
    assert (await get(house, f"{PREFIX}/board", room="ward"))[1]["open_alerts"] == 2
    assert (await get(house, f"{PREFIX}/alerts?open=true&room=theatre", room="ward"))[0] == 403


async def test_the_class_of_a_token_reaches_the_board_by_invitation(house: House) -> None:
    surgeon = house.bearer("surgeon", "7QK2", clinical="surgery")
    wish = {"room": "7QK2", "role": "observer"}
    async with house.http.post(f"{house.url}/api/v1/tokens", headers=surgeon, json=wish) as response:
        invitation = (await response.json())["token"]
    headers = {"Authorization": f"Bearer {invitation}"}
    async with house.http.post(f"{house.url}/api/v1/join", headers=headers, json={}) as response:
        token = (await response.json())["token"]
    await house.join("surgeon", "consult")
    socket = await house.socket()
    assert (await socket.ask("join", token=token))["type"] == "hello"
    await until(lambda: len(house.parts.operations.board().rows) == 2)
    board = (await get(house, f"{PREFIX}/board"))[1]
    assert [(row["room"], row["clinical_class"]) for row in board["rows"]] == [
        ("7QK2", "surgery"),
        ("consult", "consult"),
    ]
    assert board["live_surgeries"] == 1


async def test_csv_and_the_printable_report(house: House) -> None:
    await house.join("surgeon")
    await sampled(house)
    headers = house.bearer("operator", "*")
    async with house.http.get(f"{house.url}{PREFIX}/rooms/7QK2/history.csv", headers=headers) as response:
        assert response.content_type == "text/csv"
        assert "attachment" in response.headers["Content-Disposition"]
        assert DROPPED_BEFORE not in response.headers
        assert (await response.text()).startswith("at_ms,time,participant,role,")
    latest = f"from={operations.MAX_TIME_MS - 1}&to={operations.MAX_TIME_MS}&zone=Pacific/Kiritimati"
    assert (await get(house, f"{PREFIX}/rooms/7QK2/report.html?{latest}"))[0] == 200
    url = f"{house.url}{PREFIX}/rooms/7QK2/report.html?language=en&zone=Asia/Tokyo"
    async with house.http.get(url, headers=headers) as response:
        assert response.content_type == "text/html"
        assert "style-src 'sha256-" in response.headers["Content-Security-Policy"]
        text = await response.text()
        assert "Incident report" in text
        assert "UTC+09:00" in text


async def test_an_export_says_from_when_on_it_is_whole(house: House) -> None:
    database = house.parts.operations.store.database
    database.write("INSERT INTO dropped VALUES (?)", (5000,))
    await database.flush()
    headers = house.bearer("operator", "*")
    url = f"{house.url}{PREFIX}/rooms/7QK2/history.csv?from=4000&to=9000"
    async with house.http.get(url, headers=headers) as response:
        assert response.headers[DROPPED_BEFORE] == "5000"
        [_, line] = (await response.text()).splitlines()
        assert line.startswith("5000,1970-01-01T07:00:05.000+07:00,,,,dropped_before,")
    assert (await get(house, f"{PREFIX}/rooms/7QK2/timeline?from=4000&to=9000"))[1][
        "dropped_before_ms"
    ] == 5000


async def test_large_answers_are_made_beside_the_event_loop(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.join("surgeon")
    await sampled(house)
    made: set[tuple[str, bool]] = set()

    def noted(module: ModuleType, name: str) -> None:
        does = getattr(module, name)

        def where(*args: Any) -> Any:
            made.add((name, threading.current_thread() is threading.main_thread()))
            return does(*args)

        monkeypatch.setattr(module, name, where)

    noted(query, "read_second")
    noted(query, "csv_lines")
    noted(page, "render")
    noted(report, "summaries")
    for path in ("history", "history.csv", "report", "report.html"):
        assert (await get(house, f"{PREFIX}/rooms/7QK2/{path}"))[0] == 200
    assert made == {(name, False) for name in ("read_second", "csv_lines", "render", "summaries")}


async def test_rights_are_judged_before_the_question(house: House) -> None:
    path = f"{PREFIX}/rooms/7QK2/report.html?language=fr"
    assert (await get(house, path, "observer", "7QK2"))[0] == 403


@pytest.mark.parametrize(
    ("question", "field"),
    [
        ("history?from=x", "from"),
        ("history?to=-1", "to"),
        ("history?limit=99999", "limit"),
        ("history?from=99999999999999999", "from"),
        ("history?cursor=zz", None),
        ("timeline?cursor=1", None),
        ("history.csv?from=0&to=9000000000000", "from"),
        ("report?from=0&to=9000000000000", "from"),
        ("report.html?language=fr", "language"),
        ("report.html?zone=../UTC", "zone"),
        ("history.csv?zone=", "zone"),
    ],
)
async def test_bad_questions_are_told_what_is_wrong(house: House, question: str, field: str | None) -> None:
    status, problem = await get(house, f"{PREFIX}/rooms/7QK2/{question}")
    assert (status, problem.get("field")) == (400, field)


async def test_a_room_that_does_not_stand_is_not_found(house: House) -> None:
    assert (await get(house, f"{PREFIX}/rooms/nowhere"))[0] == 404


async def test_statistics_are_claims_and_come_up_in_the_sample(house: House) -> None:
    surgeon, hello = await house.join("surgeon")
    told: dict[str, Any] = {"clock_ms": hello["server_time_ms"] - 90_000, "publish": {"round_trip_ms": 20}}
    assert (await surgeon.ask("statistics", **told))["type"] == "ok"
    await sampled(house)
    skews: list[float] = []

    async def seen() -> bool:
        sample = (await get(house, f"{PREFIX}/rooms/7QK2"))[1]["participants"][0]["sample"] or {}
        skews.append(sample.get("clock_skew_seconds", 0.0))
        return bool(skews[-1])

    await until(seen)
    assert -95 < skews[-1] < -85
    refused = await surgeon.ask("statistics", clock_ms=0, subscribe={"loss": 7})
    assert (refused["code"], refused["field"]) == ("malformed_message", "$.subscribe.loss")
    answers = [(await surgeon.ask("statistics", clock_ms=0)).get("code") for _ in range(6)]
    assert answers[-1] == "limit_reached"
    assert house.server.registry.statistics_told["too_often"] >= 1


async def test_the_description_holds_these_paths(house: House) -> None:
    _, described = await get(house, "/api/openapi.json")
    made = openapi.document(
        (*api.ROUTES, *operations.ROUTES, *operator_actions.ROUTES), described["info"]["version"]
    )
    assert described == json.loads(json.dumps(made))
    for route in operations.ROUTES:
        assert route.path in described["paths"]
    for schema in described["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    assert model.Board.__name__ in described["components"]["schemas"]


async def test_the_desk_ends_with_the_server(open_house: OpenHouse) -> None:
    house = await open_house()
    await house.join("surgeon")
    await sampled(house)
    await house.sockets[0].ws.close()
    await house.listener.close()
    spans = house.parts.operations.store.database.read_now("SELECT closed_ms FROM span")
    assert [closed is not None for (closed,) in spans] == [True]
