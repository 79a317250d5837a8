"""Chromium sees over a long lossy link with parity of pictures (``flexfec-03``)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import OpenVisitor
from tests.browser.test_adaptation import BUSY_CAMERA, RECEIVED, enter_over
from tests.browser.test_pages import enter_theatre
from tests.browser.visitor import Visitor
from tests.relay import relay
from tests.running import Server, until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("chromium"),
]
LONG = ("--rate", "8000", "--queue-ms", "300", "--delay-ms", "150", "--down-loss", "iid:0.03")
"""A round trip of 300 ms, 3 % lost on the way to the viewer."""
SECONDS = 20


async def received(visitor: Visitor) -> dict[str, Any]:
    """``inbound-rtp`` of the picture; empty before there is one."""
    found: dict[str, Any] | None = await visitor.page.evaluate(RECEIVED)
    return found or {}


async def test_what_is_lost_far_away_comes_back_by_parity(visit: OpenVisitor, server: Server) -> None:
    room = server.new_room()
    await enter_theatre(visit, server, room, BUSY_CAMERA)
    with relay(server.media_port, LONG) as port:
        specialist = await enter_over(visit, server, room, port)

        async def protected() -> bool:
            return int((await received(specialist)).get("fecPacketsReceived") or 0) > 20

        await until(protected, 60, "parity arrives")
        before = await received(specialist)
        await specialist.page.wait_for_timeout(SECONDS * 1_000)
        after = await received(specialist)
    names = (
        "packetsReceived",
        "packetsLost",
        "nackCount",
        "fecPacketsReceived",
        "framesDecoded",
        "freezeCount",
    )
    figures = {name: after.get(name, 0) - before.get(name, 0) for name in names}
    print("a round trip of 300 ms, 3 % lost:", figures)
    assert figures["fecPacketsReceived"] > 20
    assert figures["framesDecoded"] > 5 * SECONDS
