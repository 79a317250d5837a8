"""What the pages say of their own statistics, as operators see it."""

from __future__ import annotations

from typing import Any

import pytest

from mediaserver.policy import Role
from tests.browser.conftest import OpenVisitor
from tests.browser.test_pages import CAMERA, enter, enter_theatre
from tests.running import Client, Server, until

LEGS = (("surgeon", "up"), ("observer", "down"))
pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("chromium"),
]


async def test_a_chromium_tells_operators_what_it_sends_and_shows(visit: OpenVisitor, server: Server) -> None:
    room = server.new_room()
    await enter_theatre(visit, server, room)
    observer = await enter(visit, server, "observe", room, Role.OBSERVER)
    await observer.wait_tile("live")
    samples: dict[str, dict[str, Any]] = {}
    async with Client(server) as http:
        headers = server.bearer("*", Role.OPERATOR)

        async def told() -> bool:
            answer = await http.request("GET", f"/api/v1/operations/rooms/{room}", headers=headers)
            for one in (await answer.json())["participants"]:
                samples[one["role"]] = one["sample"] or {}
            pictures = [one for one in samples["surgeon"].get("sources", []) if one["kind"] == "video"]
            shown = [one for one in samples["observer"].get("views", []) if one["kind"] == "video"]
            if any("round_trip_seconds" not in (samples[role].get(leg) or {}) for role, leg in LEGS):
                return False
            return any(
                one.get("captured_per_second", 0) > 5 and one.get("encode_seconds") for one in pictures
            ) and any(one.get("frames_per_second", 0) > 5 and "delay_seconds" in one for one in shown)

        await until(told, 25, "statistics of both pages")
    surgeon, watching = samples["surgeon"], samples["observer"]
    picture = next(one for one in surgeon["sources"] if one["kind"] == "video")
    shown = next(one for one in watching["views"] if one["kind"] == "video")
    assert 0 < picture["width"] <= CAMERA["width"]
    assert picture["captured_per_second"] < 2 * CAMERA["framesPerSecond"]
    assert 0 < shown["width"] <= CAMERA["width"]
    assert shown["loss_after_ratio"] <= 0.05
    assert 0 < shown["delay_seconds"] < 3
    for role, leg in LEGS:
        sample = samples[role]
        assert sample[leg]["relayed"] is False
        assert sample[leg]["round_trip_seconds"] < 1
        # Both are this machine's clock; a message is behind by what it was under way.
        assert abs(sample["clock_skew_seconds"]) < 1
        assert sample["claims_age_seconds"] < 6
