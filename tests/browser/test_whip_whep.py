"""Chromium publishes by WHIP and watches by WHEP; frame numbers prove order, loss and age."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mediaserver.policy import Role
from tests.browser.conftest import OpenVisitor
from tests.browser.test_pages import enter
from tests.browser.visitor import assert_live
from tests.running import Client, Server, until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("chromium"),
]
CODECS = ["video/VP8", "video/H264", "video/VP9", "video/AV1"]
PICTURE: dict[str, Any] = {"width": 640, "height": 360, "framesPerSecond": 15}
SIMULCAST: dict[str, Any] = {"width": 960, "height": 540, "framesPerSecond": 15, "layers": ["l", "m", "h"]}
SCALABLE: dict[str, Any] = {
    "width": 1280,
    "height": 720,
    "framesPerSecond": 15,
    "scalabilityMode": "L3T3_KEY",
}


@pytest.mark.parametrize("codec", CODECS)
async def test_chromium_publishes_and_watches(visit: OpenVisitor, server: Server, codec: str) -> None:
    room = server.new_room()
    sender, watcher = await visit(), await visit()
    await sender.publish(room, **PICTURE, codec=codec)
    await watcher.watch(room, PICTURE["width"])
    # Chromium's encoder leaves out frames when it lacks bandwidth or time; what it sent arrived: packetsLost.
    await watcher.steady(loss=0.5)
    [received] = [s for s in await watcher.statistics("inbound-rtp") if s["kind"] == "video"]
    assert received["packetsLost"] == 0
    [used] = [s for s in await watcher.statistics("codec") if s["id"] == received["codecId"]]
    assert used["mimeType"] == codec
    [transport] = await watcher.statistics("transport")
    assert transport["srtpCipher"] == "SRTP_AEAD_AES_128_GCM"
    [sound] = [s for s in await watcher.statistics("inbound-rtp") if s["kind"] == "audio"]
    assert sound["packetsReceived"] > 50
    assert sound["totalAudioEnergy"] > 0.01


@pytest.mark.alone  # Chromium leaves layers out when it lacks the processor
@pytest.mark.parametrize("codec", CODECS)
async def test_simulcast_reaches_a_whep_viewer_in_its_highest_layer(
    visit: OpenVisitor, server: Server, codec: str
) -> None:
    room = server.new_room()
    sender, watcher = await visit(), await visit()
    await sender.publish(room, **SIMULCAST, codec=codec)

    async def layers() -> bool:
        async with Client(server) as http:
            publications = (await http.room(room))["publications"]
        return any(one["kind"] == "video" and len(one["layers"]) == 3 for one in publications)

    await until(layers, 40, "three layers flow")
    await watcher.watch(room, SIMULCAST["width"])

    async def highest() -> bool:
        return (await watcher.log()).widths[-1:] == [SIMULCAST["width"]]

    # A busy encoder leaves its highest layer out for a while, and a viewer's path is learnt from below.
    await until(highest, 40, "the highest layer is seen")
    await watcher.steady(loss=0.3)


@pytest.mark.alone
@pytest.mark.parametrize(
    "codec", [CODECS[0], *(pytest.param(codec, marks=pytest.mark.slow) for codec in CODECS[1:])]
)
async def test_a_whep_player_chooses_a_layer(visit: OpenVisitor, server: Server, codec: str) -> None:
    room = server.new_room()
    sender, watcher = await visit(), await visit()
    await sender.publish(room, **SIMULCAST, codec=codec)
    await watcher.watch(room, SIMULCAST["width"])

    def seen(width: int) -> Callable[[], Awaitable[bool]]:
        async def is_seen() -> bool:
            return (await watcher.log()).widths[-1:] == [width]

        return is_seen

    await until(seen(SIMULCAST["width"]), 40, "the highest layer is seen")
    chosen = await watcher.page.evaluate("() => media.chooseLayer(0)")
    assert (chosen["status"], [one["rid"] for one in chosen["offered"]]) == (200, ["0", "1", "2"])
    await until(seen(SIMULCAST["width"] // 4), 20, "the lowest layer is seen")
    await watcher.steady(loss=0.3)
    assert (await watcher.log()).widths[-1] == SIMULCAST["width"] // 4


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize(("codec", "width"), [("video/VP9", 1280), ("video/AV1", 320)])
async def test_spatial_layers_of_one_stream_reach_a_whep_viewer(
    visit: OpenVisitor, server: Server, codec: str, width: int
) -> None:
    """Chromium offers a player no dependency descriptor: of AV1 it can take the lowest layer alone."""
    room = server.new_room()
    sender, watcher = await visit(), await visit()
    await sender.publish(room, **SCALABLE, codec=codec)
    await watcher.watch(room, SCALABLE["width"])

    async def highest() -> bool:
        return (await watcher.log()).widths[-1:] == [width]

    await until(highest, 40, "the highest layer that it can take is seen")
    log = await watcher.steady(loss=0.3)
    assert set(log.sizes) == {width}


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize("codec", ["video/VP9", "video/AV1"])
async def test_spatial_layers_of_one_stream_reach_a_page(
    visit: OpenVisitor, server: Server, codec: str
) -> None:
    """The server's own offer has the dependency descriptor."""
    room = server.new_room()
    sender = await visit()
    await sender.publish(room, **SCALABLE, codec=codec)
    watcher = await enter(visit, server, "observe", room, Role.OBSERVER)
    await watcher.wait_tile("live")
    await watcher.follow_tile(SCALABLE["width"])

    async def highest() -> bool:
        return (await watcher.log()).widths[-1:] == [SCALABLE["width"]]

    await until(highest, 40, "the highest layer is seen")
    await watcher.steady(loss=0.3)


async def test_an_ice_restart_keeps_media_keys_and_dtls(visit: OpenVisitor, server: Server) -> None:
    room = server.new_room()
    sender, watcher = await visit(), await visit()
    await sender.publish(room, **PICTURE, codec="video/VP8")
    await watcher.watch(room, PICTURE["width"])
    await watcher.frames(15)
    async with Client(server) as http:
        handshakes = (await http.metrics())['loupe_join_duration_seconds_count{stage="dtls"}']
        for visitor in (watcher, sender):
            [before] = await visitor.statistics("transport")
            restart = await visitor.page.evaluate("() => media.restartIce()")
            assert restart["status"] == 200
            assert restart["etag"] not in (None, restart["before"])
            log = await watcher.frames(30)
            assert_live(log, loss=0.5)
            [after] = await visitor.statistics("transport")
            assert after["iceLocalUsernameFragment"] != before["iceLocalUsernameFragment"]
            assert after["dtlsState"] == "connected"
        assert (await http.metrics())['loupe_join_duration_seconds_count{stage="dtls"}'] == handshakes
    [received] = [s for s in await watcher.statistics("inbound-rtp") if s["kind"] == "video"]
    assert received["packetsLost"] == 0


TRIALS = 20


@pytest.mark.alone
async def test_the_first_frame_comes_within_700_ms(visit: OpenVisitor, server: Server) -> None:
    room = server.new_room()
    sender, watcher = await visit(), await visit()
    await sender.publish(room, **PICTURE, codec="video/VP8")
    times = []
    for _ in range(TRIALS):
        arguments = [f"/whep/{room}", server.token(room, "observer")]
        times.append(await watcher.page.evaluate("([p, t]) => media.timeFirstFrame(p, t)", arguments))
    assert sorted(times)[int(0.95 * TRIALS) - 1] <= 700, sorted(times)
