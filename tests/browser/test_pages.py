"""The pages as people use them: what a theatre publishes is seen by the others, now or plainly not now."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from mediaserver.policy import Role
from tests.browser.conftest import OpenVisitor
from tests.browser.visitor import NARROW, WIDE, Visitor, assert_live
from tests.running import ROOT, Client, Server, until
from tests.wire import Wire

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("chromium"),
]
CAMERA = {"width": 960, "height": 540, "framesPerSecond": 15}
"""The smallest that Chromium sends in three layers: encoders share two processors with the rest."""
LARGE, SMALL = 1280, 320
"""Widths of the highest and lowest layer of a camera whose lowest fills a telephone's width."""
LARGE_MARKS = f"media.replaceDevices({LARGE}, 720, {CAMERA['framesPerSecond']})"
MARKS = f"media.replaceDevices({CAMERA['width']}, {CAMERA['height']}, {CAMERA['framesPerSecond']})"


async def enter_theatre(visit: OpenVisitor, server: Server, room: str, camera: str = MARKS) -> Visitor:
    """Joins with a camera that a script makes, one that draws marks if nothing else is said, and sends it."""
    theatre = await visit()
    await theatre.page.add_init_script(camera)
    await theatre.page.goto(server.page("theatre", room, Role.SURGEON, "Bs Lan"))
    await theatre.page.wait_for_selector(".source video")
    await theatre.page.click(".button.main.big")
    await theatre.page.wait_for_selector(
        '.source[data-type="endoscope"][data-state="sending"]', timeout=20_000
    )
    return theatre


async def enter(visit: OpenVisitor, server: Server, page: str, room: str, role: Role, **more: Any) -> Visitor:
    """Joins a room by a link of its own."""
    return await enter_by(visit, server.page(page, room, role), **more)


async def enter_by(visit: OpenVisitor, link: str, **more: Any) -> Visitor:
    """Joins a room by this link."""
    visitor = await visit(link, **more)
    await visitor.page.click(".button.main.big")
    return visitor


@contextmanager
def synthetic_theatre(server: Server, room: str) -> Iterator[subprocess.Popen[bytes]]:
    """The publisher of the demo, as a process of its own."""
    command = [sys.executable, "-m", "signalling.demo.publisher", server.url]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(server.token(room, Role.SURGEON).encode() + b"\n")
    process.stdin.flush()
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()


async def shown(visitor: Visitor) -> list[dict[str, Any]]:
    """What the page says of its pictures."""
    found: list[dict[str, Any]] = await visitor.page.evaluate("() => window.loupe.videos()")
    return found


async def test_a_theatre_reaches_a_specialist_and_an_observer(visit: OpenVisitor, server: Server) -> None:
    room = server.new_room()
    theatre = await enter_theatre(visit, server, room)
    specialist = await enter(visit, server, "consult", room, Role.SPECIALIST)
    observer = await enter(visit, server, "observe", room, Role.OBSERVER, language="en")
    for visitor in (specialist, observer):
        await visitor.wait_tile("live")
        await visitor.follow_tile(CAMERA["width"])
    for visitor in (specialist, observer):
        await visitor.steady(loss=0.4)
    # The specialist's voice reaches the theatre.
    heard = """async () => (await window.loupe.stats()).subscribe
        .some(s => s.type === "inbound-rtp" && s.kind === "audio" && s.packetsReceived > 50)"""
    await theatre.page.wait_for_function(heard, timeout=15_000)
    assert "LIVE" in await observer.page.title()
    assert (await observer.page.inner_text(".tile-label strong")).strip() != ""
    for name, visitor in (("theatre", theatre), ("consult", specialist), ("observe", observer)):
        await visitor.picture(name)


async def test_a_small_tile_gets_a_small_layer_and_an_enlarged_one_the_best(
    visit: OpenVisitor, server: Server
) -> None:
    room = server.new_room()
    await enter_theatre(visit, server, room, LARGE_MARKS)
    observer = await enter(visit, server, "observe", room, Role.OBSERVER)
    await observer.wait_tile("live")

    async def width(wanted: int) -> bool:
        return any(one["width"] == wanted for one in await shown(observer))

    await until(lambda: width(LARGE), 20, "the whole picture in a wide window")
    await observer.page.set_viewport_size({"width": 360, "height": 640})
    await until(lambda: width(SMALL), 20, "the lowest layer in a narrow window")
    await observer.follow_tile(LARGE)
    await observer.steady(loss=0.4)
    await observer.page.set_viewport_size({"width": 1366, "height": 768})
    await until(lambda: width(LARGE), 20, "the whole picture again")


async def test_a_frozen_picture_is_never_shown_as_live(visit: OpenVisitor, server: Server) -> None:
    room = server.new_room()
    with synthetic_theatre(server, room) as publisher:
        observer = await enter(visit, server, "observe", room, Role.OBSERVER, language="en")
        specialist = await enter(visit, server, "consult", room, Role.SPECIALIST)
        for visitor in (observer, specialist):
            await visitor.page.wait_for_function(
                "() => document.querySelectorAll('.tile[data-state=\"live\"]').length === 2", timeout=25_000
            )
        await specialist.picture("consult-demo")
        await observer.picture("observe-demo")
        # Killed: no goodbye, no RTP, no consent from now on.
        publisher.kill()
        await specialist.wait_tile("frozen", 1.0 + 1.5)
        await observer.wait_tile("frozen", 3.0 + 1.5)
        assert "LIVE" not in await observer.page.title()
        await observer.page.wait_for_selector(".cover.frozen strong")
        await asyncio.sleep(1.2)
        assert all(one["state"] == "frozen" for one in await shown(observer))
        await observer.picture("observe-frozen")
        await specialist.picture("consult-frozen")


async def test_pause_chat_and_pin(visit: OpenVisitor, server: Server) -> None:
    room = server.new_room()
    theatre = await enter_theatre(visit, server, room)
    specialist = await enter(visit, server, "consult", room, Role.SPECIALIST, language="en")
    await specialist.wait_tile("live")
    actions = theatre.page.locator('.source[data-type="endoscope"] .actions .button')
    await actions.first.click()
    await specialist.wait_tile("muted")
    await specialist.picture("consult-paused")
    await actions.first.click()
    await specialist.wait_tile("live")
    await specialist.page.keyboard.press("c")
    await specialist.page.fill(".chat input", "Xin chào <b>phòng mổ</b>")
    await specialist.page.keyboard.press("Enter")
    line = await specialist.page.wait_for_selector(".chat-text")
    assert line is not None
    assert await line.inner_text() == "Xin chào <b>phòng mổ</b>"
    await specialist.page.keyboard.press("Escape")
    await specialist.page.locator("h1").click()
    await specialist.page.keyboard.press("1")
    await specialist.page.wait_for_selector(".tile.pinned")
    await specialist.picture("consult-pinned-chat")


async def test_a_dropped_socket_is_resumed_without_touching_the_picture(
    visit: OpenVisitor, server: Server
) -> None:
    room = server.new_room()
    await enter_theatre(visit, server, room)
    async with Wire(server.url) as wire:
        link = server.page("observe", room, Role.OBSERVER).replace(server.url, wire.url)
        observer = await enter_by(visit, link)
        await observer.wait_tile("live")
        await observer.follow_tile(CAMERA["width"])
        await observer.steady(loss=0.4)
        await observer.page.evaluate(
            """() => {
                window.said = [];
                const bar = document.querySelector("header.bar");
                new MutationObserver(() => window.said.push(bar.querySelector(".standing").innerText.trim()))
                    .observe(bar, { subtree: true, childList: true, characterData: true });
            }"""
        )
        start = len((await observer.log()).frames)
        before = wire.connections
        wire.cut()
        await observer.page.wait_for_function("() => loupe.phase() === 'reconnecting'", timeout=5_000)
        await observer.page.wait_for_function("() => loupe.phase() === 'joined'", timeout=10_000)
        assert wire.connections > before
        said = await observer.page.evaluate("() => window.said")
        assert "Hình và tiếng vẫn chạy – đang nối lại máy chủ…" in said, "the picture is live all the while"
        assert "Mất kết nối – đang nối lại…" not in said
        log = await observer.frames(30)
        whole = await observer.log()
        log.frames[:0], log.sizes[:0] = whole.frames[start : start + 1], whole.sizes[start : start + 1]
        assert_live(log, loss=1.0)
        # A busy machine's path may carry every other frame only; but none stands still for half a second.
        steps = [after - before for before, after in itertools.pairwise(log.frames)]
        assert max(steps) <= CAMERA["framesPerSecond"] / 2, log.frames
        assert [one["state"] for one in await shown(observer)] == ["live"]


async def begin_anew(visitor: Visitor, wire: Wire, but: str) -> None:
    """Cuts the socket of a page that cannot resume then; ``but`` may change or drop what it sends."""
    await visitor.page.evaluate(
        """but => {
            const change = new Function("message", but);
            const send = WebSocket.prototype.send;
            WebSocket.prototype.send = function (text) {
                const message = JSON.parse(text);
                if (message.type === "join") message.resume = null;
                if (change(message) !== false) send.call(this, JSON.stringify(message));
            };
        }""",
        but,
    )
    wire.cut()
    await visitor.page.wait_for_function("() => loupe.phase() === 'reconnecting'", timeout=5_000)
    await visitor.page.wait_for_function("() => loupe.phase() === 'joined'", timeout=10_000)


async def test_a_new_session_of_a_small_tile_asks_for_the_small_layer_again(
    visit: OpenVisitor, server: Server
) -> None:
    room = server.new_room()
    await enter_theatre(visit, server, room, LARGE_MARKS)
    async with Wire(server.url) as wire:
        link = server.page("observe", room, Role.OBSERVER).replace(server.url, wire.url)
        observer = await enter_by(visit, link, wide=False)

        async def small() -> bool:
            return [(one["width"], one["state"]) for one in await shown(observer)] == [(SMALL, "live")]

        await until(small, 20, "the lowest layer in a narrow window")
        await begin_anew(observer, wire, "")
        await observer.follow_tile(LARGE)
        await observer.frames(30)
        assert (await observer.log()).widths[-1] == SMALL
        await until(small, 5, "the lowest layer again")


async def test_what_was_live_is_not_live_in_a_new_session_before_it_arrives(
    visit: OpenVisitor, server: Server
) -> None:
    room = server.new_room()
    await enter_theatre(visit, server, room)
    async with Wire(server.url) as wire:
        link = server.page("observe", room, Role.OBSERVER).replace(server.url, wire.url)
        observer = await enter_by(visit, link, language="en")
        await observer.wait_tile("live")
        assert "LIVE" in await observer.page.title()
        await begin_anew(observer, wire, "return message.type !== 'subscribe'")
        await observer.wait_tile("waiting", 2)
        assert "LIVE" not in await observer.page.title()


async def test_a_source_that_a_new_session_refuses_says_so_and_can_be_sent_again(
    visit: OpenVisitor, server: Server
) -> None:
    room = server.new_room()
    async with Wire(server.url) as wire:
        theatre = await visit()
        await theatre.page.add_init_script("media.replaceDevices(640, 360, 15)")
        theatre.origins.append(wire.url)
        await theatre.page.goto(
            server.page("theatre", room, Role.SURGEON).replace(server.url, wire.url), wait_until="load"
        )
        await theatre.page.wait_for_selector(".source video")
        await theatre.page.click(".button.main.big")
        camera, sound = (f'.source[data-type="{one}"]' for one in ("endoscope", "microphone"))
        await theatre.page.wait_for_selector(f'{camera}[data-state="sending"]', timeout=20_000)
        await theatre.page.evaluate("() => { window.refused = 0; window.refuse = true; }")
        await begin_anew(
            theatre,
            wire,
            "if (message.type === 'publish' && window.refuse) { message.sdp = 'v=0'; window.refused += 1; }",
        )
        for source in (camera, sound):
            await theatre.page.wait_for_selector(f'{source}[data-state="failed"]', timeout=10_000)

        async def send(source: str, state: str) -> None:
            await theatre.page.click(f"{source} .actions .button.main")
            await theatre.page.wait_for_selector(f'{source}[data-state="{state}"]', timeout=20_000)

        await theatre.page.evaluate("() => { window.refuse = false; }")
        await send(camera, "sending")
        # Now the refusal meets a connection that stands.
        await theatre.page.evaluate("() => { window.refused = 0; window.refuse = true; }")
        await send(sound, "failed")
        await theatre.page.wait_for_function("() => window.refused === 1", timeout=10_000)
        await theatre.page.wait_for_selector(f'{sound}[data-state="failed"]', timeout=10_000)
        await theatre.page.evaluate("() => { window.refuse = false; }")
        await send(sound, "sending")

        async def both_flow() -> bool:
            async with Client(server) as http:
                published = (await http.room(room))["publications"]
            return sorted(one["kind"] for one in published if one["layers"]) == ["audio", "video"]

        # A source counts as sending when its session stands; the encoder may bring its first packet later.
        await until(both_flow, 20, "picture and sound reach the server")


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize(
    ("page", "role"), [("theatre", "surgeon"), ("consult", "specialist"), ("observe", "observer")]
)
async def test_every_lobby_speaks_both_languages(
    visit: OpenVisitor, server: Server, page: str, role: str, language: str
) -> None:
    room = server.new_room()
    visitor = await visit(server.page(page, room, role), language=language, wide=False)
    await visitor.page.wait_for_selector(".lobby")
    await visitor.picture(f"lobby-{page}-{language}")
    assert "#" not in visitor.page.url, "the invitation stays in the address bar"
    text = await visitor.page.inner_text("body")
    word = {"vi": "Phòng", "en": "Room"}[language]
    assert word in text
    other = visitor.page.locator(".languages button", has_text="EN" if language == "vi" else "VI")
    await other.click()
    await visitor.page.wait_for_function(
        "word => !document.body.innerText.includes(word)", arg=f"{word} {room}"
    )
    assert await visitor.page.get_attribute("html", "lang") == {"vi": "en", "en": "vi"}[language]
    overflow = await visitor.page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
    assert overflow <= 0, "the page is wider than a phone"


async def test_a_link_whose_room_was_lost_still_leads_into_it(visit: OpenVisitor, server: Server) -> None:
    room = server.new_room()
    link = server.page("observe", room, Role.OBSERVER)
    visitor = await visit("/observe/", language="en")
    await visitor.page.wait_for_selector("text=This address leads to no room")
    await visitor.picture("lost")
    await visitor.page.goto(link.replace(room, ""))
    await visitor.page.wait_for_selector(f"text=Room {room}")
    # The refused address itself is what the console tells.
    assert [problem for problem in visitor.problems if "404" not in problem] == []
    visitor.problems.clear()


async def test_a_withdrawn_invitation_says_what_to_do(visit: OpenVisitor, server: Server) -> None:
    visitor = await visit(f"/observe/{server.new_room()}#not-an-invitation", language="en")
    await visitor.page.wait_for_selector("text=This invitation no longer works")
    # The refused exchange itself is what the console tells.
    assert [problem for problem in visitor.problems if "401" not in problem] == []
    visitor.problems.clear()


async def test_a_moderator_ends_the_meeting_for_everyone(visit: OpenVisitor, server: Server) -> None:
    room = server.new_room()
    observer = await enter(visit, server, "observe", room, Role.OBSERVER, language="en")
    moderator = await enter(visit, server, "consult", room, Role.MODERATOR, language="en")
    end = "button:has-text('End for everyone')"
    await moderator.page.wait_for_selector(f"{end}.plain")
    assert await observer.page.locator(end).count() == 0
    for width, height in (NARROW, WIDE):
        await moderator.page.set_viewport_size({"width": width, "height": height})
        await moderator.picture(f"bar-{width}")
    await moderator.page.click(f"{end}.plain")
    await moderator.page.wait_for_selector("text=All 2 people lose picture and sound")
    await moderator.picture("asked")
    await moderator.page.click(f"dialog[open] {end}.danger")
    for visitor in (observer, moderator):
        await visitor.page.wait_for_selector("text=This session has ended")
    await observer.picture("ended")
