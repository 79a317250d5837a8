"""One stream with several spatial layers, as browsers make VP9: a thin link gets the small ones, moving."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from tests.browser.conftest import OpenVisitor
from tests.browser.test_adaptation import OVER
from tests.relay import relay
from tests.running import Server, until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("chromium"),
    pytest.mark.slow,
]
FALLS = ("--down-steps", "0:3000,12:180", "--queue-ms", "300", "--delay-ms", "20")
SMALL = 320
"""Width of the lowest of three layers."""
WATCHED_SECONDS = 12
STILL_SECONDS = 4.0
"""The longest for which the picture may stand: an attempt at the next layer may fail, key frame and all."""


@pytest.mark.parametrize("mode", ["L3T3", "L3T3_KEY"])
async def test_a_picture_in_spatial_layers_goes_on_over_a_link_that_fell_to_180_kbit(
    visit: OpenVisitor, server: Server, mode: str
) -> None:
    room = server.new_room()
    sender = await visit()
    size = {"width": 1280, "height": 720, "framesPerSecond": 15}
    await sender.publish(room, **size, codec="video/VP9", scalabilityMode=mode)
    with relay(server.media_port, FALLS) as port:
        watcher = await visit()
        await watcher.page.evaluate(OVER % json.dumps([server.media_port, port]))
        await watcher.watch(room, 1280)

        async def shown(width: int) -> bool:
            return (await watcher.log()).widths[-1:] == [width]

        await until(lambda: shown(1280), 15, "the whole picture")
        await until(lambda: shown(SMALL), 30, "the small picture, after the link fell")
        begun, count = time.monotonic(), len((await watcher.log()).frames)
        changed, longest = begun, 0.0
        while time.monotonic() < begun + WATCHED_SECONDS:
            await asyncio.sleep(0.1)
            frames, now = len((await watcher.log()).frames), time.monotonic()
            longest = max(longest, now - changed)
            if frames > count:
                count, changed = frames, now
        print(f"{mode}: the picture stood for {longest:.1f} s at most")
        assert longest < STILL_SECONDS
