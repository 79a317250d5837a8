"""The operations page on the real server: board, the way down to a track, actions, interlock, old data."""

from __future__ import annotations

import asyncio
import contextlib
import re
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from playwright.async_api import Locator, Route

from mediaserver.clinical import ClinicalClass
from mediaserver.policy import Role
from signalling.tokens import Audience
from tests.browser.conftest import OpenVisitor
from tests.browser.test_accessibility import axe, violations
from tests.browser.test_pages import enter, synthetic_theatre
from tests.browser.visitor import NARROW, WIDE, Visitor
from tests.member import Member
from tests.running import Client, Server, until

__all__ = ["axe"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("chromium"),
]


def link(server: Server, room: str = "*") -> str:
    return f"{server.url}/operations#{server.token(room, 'operator', audience=Audience.INVITE)}"


def row(room: str) -> str:
    return f'.board tr:has(a:text-is("{room}"))'


async def test_from_the_board_down_to_a_track(visit: OpenVisitor, server: Server, axe: str) -> None:
    room = server.new_room()
    with synthetic_theatre(server, room):
        visitor = await visit(link(server), language="en")
        page = visitor.page
        await page.wait_for_selector(row(room), timeout=15_000)
        for width, height in (WIDE, NARROW, (1920, 1080)):
            await page.set_viewport_size({"width": width, "height": height})
            assert await violations(visitor, axe) == []
            await visitor.picture(f"board-{width}")
        await page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
        assert "s old" in await page.inner_text("[data-stale]")
        await page.focus(f"{row(room)} a")
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".path-side.from li")
        assert "round trip" in await page.inner_text(".path-side.from .path-words >> nth=0")
        await page.click(".participants .participant button")
        await page.wait_for_selector(".tracks li")
        await page.wait_for_selector(".charts:has(canvas) >> text=Upload: now", timeout=15_000)
        for width, height in (WIDE, NARROW):
            await page.set_viewport_size({"width": width, "height": height})
            assert await violations(visitor, axe) == []
            await visitor.picture(f"room-{width}")
        await page.click(".tracks li button >> nth=0")
        assert "track=" in page.url
        assert "Joined" in await page.inner_text(".timeline")
        assert await page.locator("video, img").count() == 0, "no picture, ever"
        await page.go_back()
        await page.go_back()
        await page.go_back()
        await page.wait_for_selector(row(room))


async def test_what_somebody_saw_is_found_afterwards(visit: OpenVisitor, server: Server, axe: str) -> None:
    room = server.new_room()
    with synthetic_theatre(server, room):
        viewer = await enter(visit, server, "observe", room, Role.OBSERVER)
        await viewer.wait_tile("live")
        await asyncio.sleep(3)  # the history has a sample a second
        await viewer.close()
    visitor = await visit(link(server), language="en")
    page = visitor.page
    await page.click("text=Look back at earlier rooms")
    await page.fill("input[type=search]", room)
    await page.press("input[type=search]", "Enter")
    await page.click(f'.board a:text-is("{room}")')
    await page.click('.actions button:has-text("Observer")')
    await page.wait_for_selector(".charts canvas")
    moment = page.locator(".card", has=page.locator("input[type=range]"))
    await moment.locator("input[type=range]").focus()
    for _ in range(30):
        if "Watched Endoscope: forwarding" in await moment.inner_text():
            break
        await page.keyboard.press("ArrowRight")
    assert "Watched Endoscope: forwarding" in await moment.inner_text()
    timeline = await page.inner_text(".timeline")
    assert "Joined: Observer" in timeline
    assert "subscribe" not in timeline, "words, not codes"
    for width, height in (WIDE, NARROW):
        await page.set_viewport_size({"width": width, "height": height})
        assert await violations(visitor, axe) == []
        await visitor.picture(f"past-{width}")
    async with page.expect_download() as download:
        await page.click("text=Figures (CSV table)")
    assert (await (await download.value).path()).read_text().startswith("at")
    await report_opens(visitor, page.get_by_role("button", name="Incident report (printable)"), room)
    await page.evaluate("() => { window.open = () => null; }")  # as a blocker of windows does
    await page.click("text=Incident report (printable)")
    await report_opens(visitor, page.get_by_role("link", name="Open the report"), room)
    assert visitor.problems == []


async def report_opens(visitor: Visitor, asked: Locator, room: str) -> None:
    """In a tab of its own, with its style, also on paper."""
    async with visitor.page.expect_popup() as opened:
        await asked.click()
    tab = await opened.value
    tab.on("console", lambda message: visitor.problems.append(message.text))
    await tab.wait_for_selector(f'h1:text-is("Incident report") + table td:text-is("{room}")')
    await tab.wait_for_selector("svg polyline >> nth=0")
    style = "() => getComputedStyle(document.querySelector('table')).borderCollapse"
    assert await tab.evaluate(style) == "collapse"
    for width, height in (WIDE, NARROW):
        await tab.set_viewport_size({"width": width, "height": height})
        await tab.screenshot(path=visitor.pictures / f"report-{width}.png", full_page=True)
    await tab.emulate_media(media="print")
    assert await tab.evaluate("() => getComputedStyle(document.body).maxWidth") == "none"
    assert (await tab.pdf()).startswith(b"%PDF")
    await tab.close()


def surgery(server: Server, http: Client, room: str) -> AbstractAsyncContextManager[Member]:
    """A surgeon whose token says what the room is for."""
    plain = server.token

    class Surgeon(Member):
        async def ask(self, kind: str, **fields: Any) -> Any:
            if kind == "join":
                fields["token"] = plain(room, "surgeon", clinical=ClinicalClass.SURGERY)
            return await super().ask(kind, **fields)

    return Surgeon(http, room, "surgeon")


async def test_a_live_surgery_stands_first_and_refuses_a_restart(visit: OpenVisitor, server: Server) -> None:
    room, other = server.new_room(), server.new_room()
    async with Client(server) as http, Member(http, other, "observer"), surgery(server, http, room):
        visitor = await visit(link(server), language="en")
        page = visitor.page
        await page.wait_for_selector(f'{row(room)}[data-class="surgery"]', timeout=15_000)
        rooms = await page.eval_on_selector_all(".board tbody th a", "links => links.map(a => a.innerText)")
        assert rooms.index(room) < rooms.index(other), rooms
        assert await page.inner_text("[data-surgeries]") == "1 surgery live"
        await page.click(".bar-actions .danger")
        await page.wait_for_selector("dialog[open] .fault")
        assert await page.inner_text("dialog .fault") == "1 surgery live: restart refused."
        assert await page.is_disabled("dialog .danger")
        await page.keyboard.press("Escape")
        await page.wait_for_selector("dialog", state="hidden")
        assert server.process.poll() is None


@pytest.mark.parametrize("surgical", [False, True], ids=["consult", "surgery"])
async def test_an_action_is_asked_once_more_and_done(
    visit: OpenVisitor, server: Server, axe: str, surgical: bool
) -> None:
    room = server.new_room()
    async with (
        Client(server) as http,
        surgery(server, http, room) if surgical else contextlib.nullcontext(),
        Member(http, room, "observer"),  # keeps the room when the other is removed
        Member(http, room, "specialist") as member,
    ):

        async def seen() -> bool:
            path = f"/api/v1/operations/rooms/{room}"
            return (await http.request("GET", path, headers=server.bearer("*", "operator"))).status == 200

        await until(seen, 10, "the desk has seen the room")
        visitor = await visit(f"{server.url}/operations?room={room}{link(server)[len(server.url) + 11 :]}")
        page = visitor.page
        person = f'.participants .participant:has(button:has-text("{member.id[:6]}"))'
        await page.click(f"{person} button", timeout=15_000)
        await page.click(f"{person} .actions .danger")
        await page.wait_for_selector("dialog[open]")
        assert member.told("closing") == [], "not before it is confirmed"
        await page.click("dialog .danger")
        if surgical:
            await page.wait_for_selector("dialog .fault")
            assert await page.is_disabled("dialog .danger")
            assert member.told("closing") == [], "not without a reason"
            for width, height in (WIDE, NARROW):
                await page.set_viewport_size({"width": width, "height": height})
                assert await violations(visitor, axe) == []
                await visitor.picture(f"reason-{width}")
            visitor.problems[:] = [one for one in visitor.problems if "409" not in one]
            await page.keyboard.type("the theatre asked for it")
            await page.click("dialog .danger")
        assert (await member.event("closing"))["reason"] == "removed"
        await page.click("dialog button >> nth=0")
        await page.wait_for_selector(person, state="detached", timeout=10_000)


async def test_old_data_turns_the_board_red_and_says_so(visit: OpenVisitor, server: Server) -> None:
    visitor = await visit(link(server), language="vi")
    page = visitor.page
    await page.wait_for_selector('.operations[data-stale="false"] .server-line')
    body: dict[str, Any] = {}

    async def older(route: Route) -> None:
        if not body:
            body.update(await (await route.fetch()).json())
        await route.fulfill(json={**body, "sampled_at_ms": body["at_ms"] - 16_000})

    await page.route("**/api/v1/operations/board", older)
    await page.wait_for_selector('.operations[data-stale="true"] .stale[role="alert"]', timeout=10_000)
    told = re.search(r"DỮ LIỆU CŨ (\d+) giây", await page.inner_text(".stale"))
    assert told is not None
    assert 16 <= int(told[1]) <= 20, "it grows older while nobody looks"
    assert (await page.title()).startswith("⚠")
    await page.unroute("**/api/v1/operations/board")
    await page.wait_for_selector('.operations[data-stale="false"]', timeout=10_000)


async def test_who_is_no_operator_sees_nothing(visit: OpenVisitor, server: Server) -> None:
    token = server.token(server.new_room(), "surgeon", audience=Audience.INVITE)
    visitor = await visit(f"{server.url}/operations#{token}", language="en")
    await visitor.page.wait_for_selector(".card.error")
    assert "OPS-not_permitted" in await visitor.page.inner_text(".card.error")
    await asyncio.sleep(0)
    # Chromium tells every refused request in its console.
    visitor.problems[:] = [one for one in visitor.problems if "403" not in one]
