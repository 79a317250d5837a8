"""One picture on the operations page, on a server that allows it: asked for, shown, closed, in the audit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.conftest import OpenVisitor
from tests.browser.test_accessibility import axe, violations
from tests.browser.test_operations import link, row
from tests.browser.test_pages import synthetic_theatre
from tests.browser.visitor import NARROW
from tests.running import CONFIGURATION, Server

__all__ = ["axe"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("chromium"),
]

COLOURS = """async (image) => {
  await image.decode();
  const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  const sums = [0, 0, 0];
  for (let at = 0; at < data.length; at += 4) for (const one of [0, 1, 2]) sums[one] += data[at + one];
  return { width: canvas.width, height: canvas.height, mean: sums.map((sum) => sum * 4 / data.length) };
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that lets operators have a picture taken."""
    folder = tmp_path_factory.mktemp("thumbnails")
    running = Server.start(folder, configuration=CONFIGURATION + "\n[watch]\nthumbnails = true\n")
    yield running
    assert running.stop() == 0


async def test_one_picture_is_shown_and_closed(visit: OpenVisitor, server: Server, axe: str) -> None:
    room = server.new_room()
    with synthetic_theatre(server, room):
        visitor = await visit(link(server), language="en")
        page = visitor.page
        await page.click(f"{row(room)} a", timeout=15_000)
        await page.click(".participants .participant button")
        line = page.locator(".tracks li:has-text('Endoscope')")
        await line.locator("text=/picture checked \\d+ s ago/").wait_for(timeout=20_000)
        assert "Pictures checked: " in await page.inner_text(".server-line")
        assert "only when somebody asks" in await page.inner_text("footer")
        assert await page.locator("img").count() == 0
        await line.get_by_role("button", name="Show one picture").click()
        dialog = page.locator("dialog[open]")
        assert "It may show a patient" in await dialog.inner_text()
        for width, height in ((1920, 1080), NARROW):
            await page.set_viewport_size({"width": width, "height": height})
            await visitor.picture(f"asked-{width}")
        await dialog.get_by_role("button", name="Confirm").click()
        await dialog.locator("img").wait_for(timeout=5_000)
        seen = await dialog.locator("img").evaluate(COLOURS)
        assert (seen["width"], seen["height"]) == (256, 144)
        red, green, blue = seen["mean"]
        assert red > green > 0, "the demo's endoscope is red"
        assert red > blue
        for width, height in ((1920, 1080), NARROW):
            await page.set_viewport_size({"width": width, "height": height})
            assert await violations(visitor, axe) == []
            await visitor.picture(f"shown-{width}")
        address = await dialog.locator("img").get_attribute("src")
        await dialog.get_by_role("button", name="Close").click()
        await page.wait_for_selector("dialog:not([open])", state="attached")
        assert await page.locator("img").count() == 0
        gone = "(address) => fetch(address).then(() => false, () => true)"
        assert await page.evaluate(gone, address), "the page keeps it"
        visitor.problems.clear()  # that it is gone is told on the console
        await line.get_by_role("button", name="Show one picture").click()
        assert "It may show a patient" in await dialog.inner_text(), "asked each time anew"
        await page.keyboard.press("Escape")
