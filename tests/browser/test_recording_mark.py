"""Recording is started and stopped in the theatre, and everyone in the room sees it: red, and timed."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, expect

from mediaserver.policy import Role
from mediaserver.vault import make_master_key
from tests.browser.visitor import Visitor
from tests.media import MarkedTrack
from tests.member import Member
from tests.recording_room import RecordingServer, decide, procedure
from tests.running import CONFIGURATION, Client, Server
from tests.small_disk import fill

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("chromium"),
]
RUNS = re.compile(r"^0:00:(0[2-9]|[1-5]\d)$")


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that records."""
    folder = tmp_path_factory.mktemp("recording")
    make_master_key(folder / "master.key")
    configuration = f'{CONFIGURATION}[recording]\nmaster_key_file = "{folder / "master.key"}"\n'
    running = Server.start(folder, configuration=configuration)
    yield running
    assert running.stop() == 0, running.log.read_text()[-4000:]


async def enter_by(
    chromium: Browser, server: Server, link: str, pictures: Path, *, language: str = "vi", wide: bool = True
) -> Visitor:
    """Through the lobby into the room."""
    visitor = await Visitor.open(chromium, server, link, language=language, wide=wide, pictures=pictures)
    await visitor.page.click(".button.main.big")
    return visitor


async def test_an_interrupted_recording_is_said_in_words_with_a_button_to_go_on(
    chromium: Browser, keyed: Server, tmp_path: Path
) -> None:
    room = keyed.new_room()
    async with Client(keyed) as http:
        await procedure(http, room)

    async def enter(*, wide: bool) -> Visitor:
        link = keyed.page("theatre", room, Role.STAFF, "Đd Mai")
        return await enter_by(chromium, keyed, link, tmp_path, wide=wide)

    async def leave(theatre: Visitor) -> None:
        await theatre.page.get_by_role("button", name="Rời").click()
        assert theatre.problems == []
        await theatre.close()

    def banner(visitor: Visitor) -> Locator:
        return visitor.page.locator("[data-warning=interrupted]")

    theatre = await enter(wide=True)
    mark = theatre.page.locator(".recording")
    await theatre.page.get_by_role("button", name="Bắt đầu ghi hình").click()
    await expect(mark).to_contain_text("ĐANG GHI HÌNH")
    await expect(banner(theatre)).to_have_count(0)
    await leave(theatre)

    again = await enter(wide=False)
    await expect(banner(again)).to_contain_text("HIỆN KHÔNG ĐƯỢC GHI")
    await again.picture("recording-interrupted-narrow")
    link = keyed.page("observe", room, Role.OBSERVER, "Sv Lan")
    observer = await enter_by(chromium, keyed, link, tmp_path, language="en")
    await again.page.get_by_role("button", name="Ghi tiếp").click()
    await expect(again.page.locator(".recording")).to_contain_text("ĐANG GHI HÌNH")
    await expect(observer.page.locator(".recording")).to_contain_text("RECORDING")
    await expect(banner(observer)).to_have_count(0)
    await expect(banner(again)).to_have_count(0)
    await observer.close()
    await leave(again)

    last = await enter(wide=True)
    await last.picture("recording-interrupted")
    await last.page.get_by_role("button", name="Không ghi nữa").click()
    await expect(banner(last)).to_have_count(0)
    await expect(last.page.locator(".recording")).to_have_attribute("data-recording", "false")
    await leave(last)


async def test_started_seen_by_all_and_stopped(chromium: Browser, keyed: Server, tmp_path: Path) -> None:
    room = keyed.new_room()
    async with Client(keyed) as http:
        case = await procedure(http, room)
    link = keyed.page("theatre", room, Role.STAFF, "Đd Mai")
    theatre = await enter_by(chromium, keyed, link, tmp_path)
    watching = keyed.page("observe", room, Role.OBSERVER, "Sv Lan")
    observer = await enter_by(chromium, keyed, watching, tmp_path, language="en")
    await expect(observer.page.locator(".recording")).to_have_attribute("data-recording", "false")
    await theatre.page.get_by_role("button", name="Bắt đầu ghi hình").click()
    for visitor, words in ((theatre, "ĐANG GHI HÌNH"), (observer, "RECORDING")):
        mark = visitor.page.locator(".recording")
        await expect(mark).to_contain_text(words)
        # A busy machine may let any one second pass unseen.
        await expect(mark.get_by_role("timer")).to_have_text(RUNS, timeout=8_000)
        ground = await mark.evaluate("element => getComputedStyle(element).backgroundColor")
        red, green, blue = (int(part) for part in ground[4:-1].split(","))
        assert red > 2 * max(green, blue), ground
    link = keyed.page("consult", room, Role.SPECIALIST, "Bs Hà")
    late = await enter_by(chromium, keyed, link, tmp_path)
    await expect(late.page.locator(".recording")).to_contain_text("ĐANG GHI HÌNH")
    await theatre.page.get_by_role("button", name="Dừng ghi hình").click()
    await expect(observer.page.locator(".recording")).to_have_attribute("data-recording", "false")
    async with Client(keyed) as http:
        await decide(http, room, case, "withdrawn", "outside_viewers")
    refused = observer.page.locator(".card.error")
    await expect(refused).to_contain_text("The patient has not agreed to viewers from outside", timeout=2_000)
    await observer.picture("observer-not-consented")
    await observer.page.get_by_role("button", name="Join again").click()
    await expect(refused).to_contain_text("The patient has not agreed to viewers from outside")
    observer.problems[:] = [one for one in observer.problems if "403" not in one]
    await observer.close()
    for visitor in (theatre, late):
        await expect(visitor.page.locator(".recording")).to_have_attribute("data-recording", "false")
        assert visitor.problems == []
        await visitor.close()


@pytest.mark.slow
async def test_a_disk_that_fills_and_a_recorder_that_hangs_are_said_to_who_may_record(
    chromium: Browser, small: Path, tmp_path: Path
) -> None:
    server = RecordingServer.begin(small)
    room = server.new_room()
    try:
        async with Client(server) as http, Member(http, room) as surgeon:
            case = await procedure(http, room)
            await surgeon.publish([(MarkedTrack(), "Scope", "endoscope")])
            link = server.page("theatre", room, Role.STAFF, "Đd Mai")
            theatre = await enter_by(chromium, server, link, tmp_path)
            link = server.page("observe", room, Role.OBSERVER, "Sv Lan")
            observer = await enter_by(chromium, server, link, tmp_path)
            await surgeon.do("start_recording", procedure=case)
            fill(small, left=4_000_000)
            await expect(observer.page.locator(".recording")).to_contain_text("ĐANG GHI HÌNH")
            warning = theatre.page.locator("[data-warning=disk]")
            await expect(warning).to_have_text(re.compile(r"còn .*\d+ phút"), timeout=30_000)
            await theatre.picture("recording-disk-low")
            recorder = server.recorder
            os.kill(recorder, signal.SIGSTOP)
            try:
                failing = theatre.page.locator("[data-warning=failing]")
                await expect(failing).to_contain_text("KHÔNG", timeout=30_000)
                await theatre.picture("recording-failing")
            finally:
                os.kill(recorder, signal.SIGCONT)
            await expect(failing).to_have_count(0, timeout=30_000)
            await expect(observer.page.locator("[data-warning]")).to_have_count(0)
            await surgeon.do("stop_recording")
            await expect(warning).to_have_count(0)
            for visitor in (theatre, observer):
                assert visitor.problems == []
                await visitor.close()
    finally:
        server.stop()
