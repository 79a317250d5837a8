"""A procedure is opened and consents are ticked in the theatre; what is missing is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from mediaserver.policy import Role
from mediaserver.vault import make_master_key
from tests.browser.test_accessibility import axe, violations
from tests.browser.visitor import Visitor
from tests.running import CONFIGURATION, Client, Server

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("chromium"),
]
__all__ = ["axe"]


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that may keep procedures."""
    folder = tmp_path_factory.mktemp("keyed")
    make_master_key(folder / "master.key")
    configuration = f'{CONFIGURATION}[recording]\nmaster_key_file = "{folder / "master.key"}"\n'
    running = Server.start(folder, configuration=configuration)
    yield running
    assert running.stop() == 0, running.log.read_text()[-4000:]


async def test_from_opening_to_withdrawing(
    chromium: Browser, keyed: Server, tmp_path: Path, axe: str
) -> None:
    room = keyed.new_room()
    link = keyed.page("theatre", room, Role.STAFF, "Đd Mai")
    visitor = await Visitor.open(chromium, keyed, link, language="vi", wide=True, pictures=tmp_path)
    page = visitor.page
    await page.wait_for_selector(".button.main.big")
    await page.click(".button.main.big")
    panel = page.locator(".procedure")
    may_record = panel.locator(".may-record")
    await expect(may_record).to_have_text("Chưa được ghi hình: chưa mở ca")
    await panel.locator('input[name="reference"]').fill("BN-0042")
    await panel.locator('input[name="title"]').fill("Cắt túi mật")
    await panel.get_by_role("button", name="Mở ca").click()
    await expect(panel).to_contain_text("BN-0042 · Cắt túi mật")
    await expect(may_record).to_contain_text("thiếu đồng ý “Ghi hình”")
    assert await violations(visitor, axe) == []
    recording = panel.locator('[data-purpose="recording"]')
    give = recording.get_by_role("button", name="Đồng ý: Ghi hình", exact=True)
    await expect(give).to_be_disabled()
    await panel.get_by_label("Người quyết định").fill("Nguyễn Văn Ánh")
    await give.click()
    await expect(recording.locator(".badge")).to_have_text("Đã đồng ý")
    await expect(may_record).to_have_text("Được ghi hình")
    assert await panel.locator('li[data-permitted="true"]').count() == 1, "each purpose by itself"
    await page.reload()
    await page.click(".button.main.big")
    await expect(may_record).to_have_text("Được ghi hình")
    assert await violations(visitor, axe) == []
    await panel.get_by_label("Người quyết định").fill("Nguyễn Văn Ánh")
    await recording.get_by_role("button", name="Rút lại: Ghi hình").click()
    await expect(may_record).to_contain_text("thiếu đồng ý")
    async with Client(keyed) as http:
        where = f"{keyed.url}/api/v1/rooms/{room}/procedures"
        answer = await http.session.get(where, headers=keyed.bearer(room, Role.STAFF))
        [procedure] = (await answer.json())["procedures"]
    decided = {one["purpose"]: one["decision"] for one in procedure["purposes"]}
    assert decided == {
        "treatment_link": None, "recording": "withdrawn", "teaching": None, "outside_viewers": None,
    }  # fmt: skip
    assert visitor.problems == []
    await visitor.close()
    for file in keyed.data.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert b"BN-0042" not in content, file
            assert "Ánh".encode() not in content, file
    assert "BN-0042" not in keyed.log.read_text()
