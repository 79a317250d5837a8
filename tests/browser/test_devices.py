"""What a lobby says when a device does not open, hears when it does, and what a tile can be made to do."""

from __future__ import annotations

import pytest

from mediaserver.policy import Role
from tests.browser.conftest import OpenVisitor
from tests.browser.test_pages import synthetic_theatre
from tests.running import Server

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("chromium"),
]


@pytest.mark.parametrize(
    ("error", "camera", "microphone"),
    [
        ("NotAllowedError", "The camera is blocked", "The microphone is blocked"),
        ("NotFoundError", "No camera found", "No microphone found"),
        (
            "NotReadableError",
            "Another program is using the camera",
            "Another program is using the microphone",
        ),
        ("TypeError", "The camera could not be opened", "The microphone could not be opened"),
    ],
)
async def test_a_device_error_is_named_and_can_be_tried_again(
    visit: OpenVisitor, server: Server, error: str, camera: str, microphone: str
) -> None:
    visitor = await visit(language="en")
    await visitor.page.add_init_script(
        f"""media.replaceDevices(640, 360, 15);
        const open = navigator.mediaDevices.getUserMedia;
        navigator.mediaDevices.getUserMedia = async (wanted) => {{
            if (!window.plugged) throw new DOMException("as a browser would", "{error}");
            return open(wanted);
        }};"""
    )
    await visitor.page.goto(server.page("theatre", server.new_room(), Role.SURGEON))
    for title in (camera, microphone):
        await visitor.page.wait_for_selector(f"text={title}")
    await visitor.page.evaluate("() => { window.plugged = true; }")
    for _ in range(2):
        await visitor.page.locator("button", has_text="Try again").first.click()
    await visitor.page.wait_for_selector(".source video")
    # The tone of the replaced microphone moves the meter.
    await visitor.page.wait_for_selector("text=The microphone works: sound is heard.")
    assert await visitor.page.locator("text=Try again").count() == 0


async def test_a_tile_fills_the_screen_and_can_be_put_away(visit: OpenVisitor, server: Server) -> None:
    room = server.new_room()
    with synthetic_theatre(server, room):
        observer = await visit(server.page("observe", room, Role.OBSERVER), language="en")
        await observer.page.click(".button.main.big")
        await observer.page.wait_for_function(
            "() => document.querySelectorAll('.tile[data-state=\"live\"]').length === 2", timeout=25_000
        )
        first = observer.page.locator(".tile").first
        await first.hover()
        await first.get_by_role("button", name="Full screen").click()
        await observer.page.wait_for_function("() => document.fullscreenElement?.matches('.tile')")
        await observer.page.evaluate("() => document.exitFullscreen()")
        await observer.page.wait_for_function("() => document.fullscreenElement === null")
        await first.hover()
        await first.get_by_role("button", name="Hide").click()
        await observer.page.wait_for_function("() => document.querySelectorAll('.tile').length === 1")
        await observer.page.locator(".hidden-list button").click()
        await observer.page.wait_for_function(
            "() => document.querySelectorAll('.tile[data-state=\"live\"]').length === 2", timeout=15_000
        )
