"""Chromium hears over a lossy link, with redundant sound (RFC 2198) and without."""

from __future__ import annotations

import json

import pytest

from mediaserver.policy import Role
from tests.browser.conftest import OpenVisitor
from tests.browser.test_adaptation import BUSY_CAMERA, OVER
from tests.browser.test_pages import enter_theatre
from tests.browser.visitor import Visitor
from tests.relay import relay
from tests.running import Server, until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("chromium"),
]
LOSSY = ("--rate", "3000", "--queue-ms", "300", "--delay-ms", "30", "--loss", "iid:0.1")
# Chromium is offered redundant sound under a name that it does not know.
WITHOUT = """(() => {
  const original = RTCPeerConnection.prototype.setRemoteDescription;
  RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
    return original.call(this, { type, sdp: sdp.replaceAll(" red/48000/2", " none/48000/2") });
  };
})();"""
HEARD = """async () => {
  const all = (await window.loupe.stats()).subscribe;
  const heard = all.find((s) => s.type === "inbound-rtp" && s.kind === "audio");
  return heard && [heard.concealedSamples, heard.totalSamplesReceived];
}"""
SECONDS = 12


async def listen(visit: OpenVisitor, server: Server, room: str, port: int, script: str) -> Visitor:
    """Observes over a relay, so that there is one voice to hear."""
    visitor = await visit()
    await visitor.page.add_init_script(OVER % json.dumps([server.media_port, port]))
    await visitor.page.add_init_script(script)
    await visitor.page.goto(server.page("observe", room, Role.OBSERVER, "An"))
    await visitor.page.click(".button.main.big")
    return visitor


async def heard(visitor: Visitor) -> tuple[int, int]:
    """Samples concealed, and samples in all."""
    found = await visitor.page.evaluate(HEARD)
    return (0, 0) if found is None else (found[0], found[1])


async def test_redundant_sound_leaves_less_to_conceal(visit: OpenVisitor, server: Server) -> None:
    room = server.new_room()
    await enter_theatre(visit, server, room, BUSY_CAMERA)
    with relay(server.media_port, LOSSY) as one, relay(server.media_port, LOSSY) as other:
        taking = await listen(visit, server, room, one, "")
        plain = await listen(visit, server, room, other, WITHOUT)

        async def both_hear() -> bool:
            return all([(await heard(visitor))[1] > 48_000 for visitor in (taking, plain)])

        await until(both_hear, 30, "both hear")
        before = [await heard(visitor) for visitor in (taking, plain)]
        await taking.page.wait_for_timeout(SECONDS * 1_000)
        after = [await heard(visitor) for visitor in (taking, plain)]
        with_it, without = (
            (new[0] - old[0]) / (new[1] - old[1]) for new, old in zip(after, before, strict=True)
        )
        print(f"concealed: {with_it:.2%} with redundancy, {without:.2%} without")
        assert without > 0.03
        assert with_it < without / 2
