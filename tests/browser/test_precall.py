"""The pre-call test in the lobby, through the real server: what a person reads, and what is left behind."""

from __future__ import annotations

import pytest

from signalling.precall import ROOM_PREFIX
from tests.browser.conftest import OpenVisitor
from tests.browser.test_accessibility import axe, violations
from tests.running import Client, Server, until

__all__ = ["axe"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("chromium"),
]


async def test_a_specialist_tests_the_way_and_is_told_in_words(
    visit: OpenVisitor, server: Server, axe: str
) -> None:
    room = server.new_room()
    visitor = await visit(server.page("consult", room, "specialist"), language="en")
    await visitor.page.click(".precall .button")
    await visitor.page.wait_for_selector('.precall[data-state="running"] progress')
    await visitor.page.wait_for_selector('.precall[data-state="done"]', timeout=40_000)
    items = await visitor.page.eval_on_selector_all(
        ".findings li", "lines => lines.map(line => [line.dataset.item, line.dataset.grade, line.innerText])"
    )
    found = {item: (grade, text) for item, grade, text in items}
    assert list(found)[:6] == ["websocket", "udp", "up", "down", "loss", "rtt"], found
    assert found["websocket"][0] == "good", found
    assert "direct" in found["udp"][1]
    # Loopback carries anything: only a computer that is short of time can make it weak.
    assert found["rtt"][0] == "good", found
    assert found["up"][0] == "good", found
    assert found["down"][0] in ("good", "unknown"), found
    assert all("Mbit/s" in found[rate][1] for rate in ("up", "down")), found
    assert await violations(visitor, axe) == []
    await visitor.picture("precall")

    async def gone() -> bool:
        async with Client(server) as http:
            answer = await http.request("GET", "/api/v1/rooms", headers=server.bearer("*", "operator"))
            rooms = (await answer.json())["rooms"]
        return all(not one["participants"] for one in rooms if one["id"].startswith(ROOM_PREFIX))

    await until(gone, 10, "nobody left in the test's room")
