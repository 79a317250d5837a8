"""One visitor of the server in Chromium, and what a test asks of the page."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, cast

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request

from tests.running import Server, until

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    # Chromium gathers no loopback candidates by itself; a server on 127.0.0.1 needs them.
    "--allow-loopback-in-peer-connection",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    # A page in the background is throttled; these tests look at several at once.
    "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
]
SCRIPT = Path(__file__).with_name("media.js")
WIDE = (1366, 768)
NARROW = (390, 844)


@dataclass
class Log:
    """What ``follow`` of media.js has read of a video."""

    frames: list[int]
    ages_ms: list[int]
    sizes: list[int]
    """Width of each frame."""
    unread: int
    widths: list[int]
    """One after the other, those of frames that could not be read included."""


@dataclass
class Visitor:
    """A page with a profile of its own."""

    context: BrowserContext
    page: Page
    server: Server
    pictures: Path
    origins: list[str]
    """Whom its pages may ask for something; who is no longer asked may still get a late request."""
    problems: list[str] = field(default_factory=list)

    @classmethod
    async def open(
        cls, browser: Browser, server: Server, path: str, *, language: str, wide: bool, pictures: Path
    ) -> Self:
        """Goes to a path of the server, or to a full link, with media.js in the page."""
        width, height = WIDE if wide else NARROW
        context = await browser.new_context(
            viewport={"width": width, "height": height},
            locale="vi-VN",
            permissions=["camera", "microphone"],
        )
        await context.add_init_script(path=SCRIPT)
        await context.add_init_script(
            f"localStorage.setItem('loupe.language', localStorage.getItem('loupe.language') ?? '{language}')"
        )
        url = path if path.startswith("http") else server.url + path
        origin = "/".join(url.split("/")[:3])
        visitor = cls(context, await context.new_page(), server, pictures, [origin])
        visitor._listen()
        await visitor.page.goto(url)
        return visitor

    def _listen(self) -> None:
        def console(message: ConsoleMessage) -> None:
            # A breach of the content security policy is told here as well.
            if message.type == "error":
                self.problems.append(f"console: {message.text}")

        def requested(request: Request) -> None:
            sockets = [origin.replace("http", "ws") for origin in self.origins]
            if not request.url.startswith((*self.origins, *sockets, "blob:", "data:")):
                self.problems.append(f"foreign request: {request.url}")

        self.page.on("console", console)
        self.page.on("pageerror", lambda error: self.problems.append(f"script: {error}"))
        self.page.on("request", requested)

    async def close(self) -> None:
        """Closes the page and forgets its profile."""
        await self.context.close()

    async def picture(self, name: str) -> None:
        """A screenshot into the test's folder."""
        await self.page.screenshot(path=self.pictures / f"{name}.png")

    async def publish(self, room: str, **options: Any) -> None:
        """A canvas with marks by WHIP."""
        token = self.server.token(room, "staff")
        await self.page.evaluate("([p, t, o]) => media.publish(p, t, o)", [f"/whip/{room}", token, options])

    async def watch(self, room: str, drawn_width: int) -> None:
        """By WHEP, in a video element of its own."""
        token = self.server.token(room, "observer")
        await self.page.evaluate("([p, t, w]) => media.watch(p, t, w)", [f"/whep/{room}", token, drawn_width])

    async def follow_tile(self, drawn_width: int, selector: str = ".tile video") -> None:
        """Reads the marks of a picture that a page of ours shows."""
        await self.page.evaluate(
            "([s, w]) => { media.made.log = media.follow(document.querySelector(s), w); }",
            [selector, drawn_width],
        )

    async def log(self) -> Log:
        """Everything read so far."""
        raw = await self.page.evaluate("() => media.made.log")
        frames, ages, sizes = ([one[place] for one in raw["seen"]] for place in range(3))
        return Log(frames, ages, sizes, raw["unread"], raw["widths"])

    async def frames(self, count: int, seconds: float = 25.0) -> Log:
        """The next ``count`` frames that could be read."""
        start = len((await self.log()).frames)

        async def enough() -> bool:
            return len((await self.log()).frames) >= start + count

        await until(enough, seconds, f"{count} more frames after {start}")
        log = await self.log()
        return Log(log.frames[start:], log.ages_ms[start:], log.sizes[start:], log.unread, log.widths)

    async def steady(self, *, loss: float, seconds: float = 25.0) -> Log:
        """The first 30 frames in a row of which few are missing.

        Before, some may be: a new path is learnt from below, slowly where machines are busy.
        """
        end = time.monotonic() + seconds
        while True:
            log = await self.frames(30)
            last = time.monotonic() > end
            assert_live(log, loss=loss if last else 1.0)
            if missing(log) <= loss:
                return log

    async def statistics(self, kind: str) -> list[dict[str, Any]]:
        """Entries of getStats of one type."""
        entries = cast("list[dict[str, Any]]", await self.page.evaluate("() => media.statistics()"))
        return [entry for entry in entries if entry["type"] == kind]

    async def wait_tile(self, state: str, seconds: float = 15.0) -> None:
        """Until a tile is in this state."""
        await self.page.wait_for_selector(f'.tile[data-state="{state}"]', timeout=seconds * 1000)


def missing(log: Log) -> float:
    """The share of frame numbers between the first and the last that were not seen."""
    spread = log.frames[-1] - log.frames[0]
    return (spread + 1 - len(set(log.frames))) / max(spread, 1)


def assert_live(log: Log, *, loss: float) -> None:
    """Frame numbers in order, few missing, young.

    A change of layers may show a frame again, and so may a publisher's browser of which a key frame is asked:
    it encodes its last picture anew rather than wait for the next.
    """
    assert log.frames == sorted(log.frames), log.frames
    shown = list(zip(log.frames, log.sizes, strict=True))
    again = [one for one, following in itertools.pairwise(shown) if one == following]
    assert len(again) <= len(shown) // 15, (again, shown)
    assert missing(log) <= loss, f"{missing(log):.0%} missing of {log.frames}"
    assert max(log.ages_ms) < 1_500, log.ages_ms
