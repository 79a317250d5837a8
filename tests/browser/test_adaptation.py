"""Poor links in Chromium: what the pages say and show, and what a publisher sends no more."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from mediaserver.policy import Role
from tests.browser.conftest import OpenVisitor
from tests.browser.test_pages import enter_theatre
from tests.browser.visitor import Visitor
from tests.relay import S3, relay
from tests.running import Server, until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("chromium"),
]
# A picture that takes the rate its encoder is allowed, in three sizes, at little cost to this machine.
BUSY_CAMERA = """navigator.mediaDevices.getUserMedia = async (wanted) => {
  const { stream } = media.busy(960, 540, 10);
  for (const track of stream.getTracks()) if (!wanted[track.kind]) stream.removeTrack(track);
  return stream;
};"""
# What the server says of its addresses leads over the relay; messages that tell of links are kept.
OVER = """(([from, to]) => {
  const original = RTCPeerConnection.prototype.setRemoteDescription;
  RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
    return original.call(this, { type, sdp: sdp.replaceAll(`127.0.0.1 ${from} `, `127.0.0.1 ${to} `) });
  };
})(%s);"""
WEAK = ("--down-rate", "60", "--queue-ms", "600", "--delay-ms", "75")
"""Sound and nothing else."""
SENT = """async () => (await window.loupe.stats()).publish
    .filter((s) => s.type === "outbound-rtp" && s.kind === "video")
    .map((s) => [s.rid, s.bytesSent, s.active])"""
FITS_ONCE = ("--down-steps", "0:5000,15:1100", "--queue-ms", "300", "--delay-ms", "30")
TARGET = """async () => (await window.loupe.stats()).publish
    .find((s) => s.type === "outbound-rtp" && s.rid === "h")?.targetBitrate"""
"""Bits per second that the encoder of the large picture is to make."""
RECEIVED = """async () => (await window.loupe.stats()).subscribe
    .find((s) => s.type === "inbound-rtp" && s.kind === "video")"""


async def enter_over(
    visit: OpenVisitor, server: Server, room: str, port: int, *, language: str = "vi", **more: Any
) -> Visitor:
    """Consults over a relay."""
    visitor = await visit(language=language, **more)
    await visitor.page.add_init_script(OVER % json.dumps([server.media_port, port]))
    await visitor.page.goto(server.page("consult", room, Role.SPECIALIST, "An"))
    await visitor.page.click(".button.main.big")
    return visitor


async def sentence(visitor: Visitor) -> str:
    """What the page says of its link; empty while all is well."""
    return (await visitor.page.inner_text(".link-sentence")).strip()


async def bits(theatre: Visitor, seconds: float) -> float:
    """What the theatre's picture takes of its upload, bits per second, all layers together."""
    before = await theatre.page.evaluate(SENT)
    await theatre.page.wait_for_timeout(seconds * 1_000)
    after = await theatre.page.evaluate(SENT)
    return float(sum(new[1] - old[1] for new, old in zip(after, before, strict=True))) * 8 / seconds


async def test_a_weak_link_is_named_in_words_to_the_viewer_and_the_surgeon(
    visit: OpenVisitor, server: Server
) -> None:
    room = server.new_room()
    theatre = await enter_theatre(visit, server, room, BUSY_CAMERA)
    with relay(server.media_port, WEAK) as port:
        specialist = await enter_over(visit, server, room, port)
        await specialist.page.wait_for_selector('.link-sentence[data-step="sound"]', timeout=20_000)
        assert await sentence(specialist) == "Đường truyền của bạn yếu: chỉ còn tiếng"
        await specialist.wait_tile("withheld")
        assert "TRỰC TIẾP" not in await specialist.page.title()
        await specialist.page.click(".legs summary")
        legs = await specialist.page.inner_text(".legs-panel")
        assert "không gửi hình này: đường truyền của bạn không tải hơn được" in legs, legs
        assert "tiếng: tốt nhất có thể" in legs, legs
        await specialist.picture("consult-sound-only")
        theirs = await theatre.page.wait_for_selector(".theirs", timeout=5_000)
        assert theirs is not None
        assert await theirs.inner_text() == "chỉ nghe được tiếng"
        await theatre.picture("theatre-somebody-hears-only")
        await specialist.page.click('.languages [lang="en"]')
        assert await sentence(specialist) == "Your link is weak: sound only"


async def layers_sent(theatre: Visitor) -> Sequence[str]:
    """Names of the layers that flow."""
    return [rid for rid, _, active in await theatre.page.evaluate(SENT) if active]


@pytest.mark.slow
async def test_a_publisher_sends_less_when_nobody_needs_more_and_more_when_somebody_does(
    visit: OpenVisitor, server: Server
) -> None:
    room = server.new_room()
    theatre = await enter_theatre(visit, server, room, BUSY_CAMERA)
    specialist = await visit(server.page("consult", room, Role.SPECIALIST))
    await specialist.page.click(".button.main.big")
    width = "() => window.loupe.videos().some((one) => one.width === 960)"
    await specialist.page.wait_for_function(width, timeout=30_000)
    full = await bits(theatre, 4)
    await specialist.page.set_viewport_size({"width": 240, "height": 640})

    async def only_lowest() -> bool:
        return await layers_sent(theatre) == ["l"]

    await until(only_lowest, 30, "the upper layers are left out")
    least = await bits(theatre, 4)
    assert least < full / 3, (full, least)
    await specialist.page.set_viewport_size({"width": 1366, "height": 768})
    await specialist.page.wait_for_function(width, timeout=20_000)
    assert await bits(theatre, 4) > 2 * least


@pytest.mark.slow
async def test_a_publisher_makes_its_large_picture_to_the_measure_of_its_only_viewer(
    visit: OpenVisitor, server: Server
) -> None:
    """Between two rungs: the large picture takes 1.7 Mbit/s, the middle one would waste half the link."""
    room = server.new_room()
    theatre = await enter_theatre(visit, server, room, BUSY_CAMERA)

    async def target() -> float:
        return float(await theatre.page.evaluate(TARGET) or 0)

    with relay(server.media_port, FITS_ONCE) as port:
        specialist = await enter_over(visit, server, room, port)
        width = "() => window.loupe.videos().some((one) => one.width === 960)"
        await specialist.page.wait_for_function(width, timeout=20_000)
        at_first = await target()

        async def restrained() -> bool:
            return 0.5e6 < await target() < 1.1e6

        print(f"the large picture is to be {at_first / 1e6:.2f} Mbit/s")
        assert at_first > 1.2e6
        await until(restrained, 40, "the large picture is made for what the link carries")
        await specialist.page.wait_for_function(width, timeout=20_000)


@pytest.mark.slow
async def test_a_link_that_falls_to_an_eighth_and_comes_back(visit: OpenVisitor, server: Server) -> None:
    """S3 of the adaptation goals: sound goes on, the picture goes down and is back soon after."""
    room = server.new_room()
    await enter_theatre(visit, server, room, BUSY_CAMERA)
    with relay(server.media_port, S3) as port:
        specialist = await enter_over(visit, server, room, port)
        width = "(wanted) => window.loupe.videos().some((one) => one.width === wanted)"
        await specialist.page.wait_for_function(width, arg=960, timeout=20_000)
        said = ", ".join(f'.link-sentence[data-step="{step}"]' for step in ("reduced", "stills"))
        await specialist.page.wait_for_selector(said, timeout=40_000)
        await specialist.page.wait_for_function(width, arg=240, timeout=20_000)
        low = await specialist.page.evaluate(RECEIVED)
        await specialist.page.wait_for_function(width, arg=960, timeout=40_000)
        await specialist.page.wait_for_selector(said, state="detached", timeout=15_000)
        end = await specialist.page.evaluate(RECEIVED)
        assert end["framesDecoded"] > low["framesDecoded"]
        figures = {name: end.get(name) for name in ("freezeCount", "totalFreezesDuration", "framesPerSecond")}
        print("S3 in Chromium:", figures)
        assert end["totalFreezesDuration"] < 20.0, figures
