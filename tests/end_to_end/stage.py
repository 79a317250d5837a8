"""Who is in a room with a fault: the real pages in Chromiums, aiortc where no page matters."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

from playwright.async_api import Page, Playwright, async_playwright

from mediaserver.policy import Role
from tests.browser.visitor import Visitor
from tests.end_to_end.engines import Engine
from tests.end_to_end.verdict import row
from tests.media import MarkedTrack
from tests.member import Member
from tests.running import Client, Server, until

CAMERA = """
navigator.mediaDevices.getUserMedia = async (wanted) => {
  const { stream } = media.source(16, 16, 1);
  for (const track of stream.getTracks()) {
    if (track.kind === "video" || !wanted.audio) stream.removeTrack(track);
  }
  if (!wanted.video) return stream;
  const canvas = Object.assign(document.createElement("canvas"), { width: 1280, height: 720 });
  const context = canvas.getContext("2d");
  let frame = 0;
  setInterval(() => {
    context.fillStyle = window.lensCovered ? "#000" : "#607060";
    context.fillRect(0, 0, 1280, 720);
    for (let i = 0; i < 60 && !window.lensCovered; i++) {
      context.fillStyle = `hsl(${i * 37} 60% ${30 + (i % 5) * 10}%)`;
      context.fillRect((i * 211 + frame * 4) % 1280, (i * 97) % 720, 90, 70);
    }
    frame += 1;
  }, 1000 / 15);
  stream.addTrack(canvas.captureStream(15).getVideoTracks()[0]);
  return stream;
};
"""
"""A moving picture with edges, until ``lensCovered``; and a tone."""
RELAY_ONLY = """
const Plain = RTCPeerConnection;
window.RTCPeerConnection = class extends Plain {
  constructor(settings) { super({ ...settings, iceTransportPolicy: "relay" }); }
};
"""
AHEAD = """
const Plain = Date;
window.aheadMs = 0;
window.Date = class extends Plain {
  constructor(...given) { if (given.length) super(...given); else super(Plain.now() + window.aheadMs); }
  static now() { return Plain.now() + window.aheadMs; }
};
"""
"""The page's clock is ahead by ``aheadMs``."""


class Stage:
    """One room of a running server; whoever comes stays to the end of the context."""

    def __init__(
        self, http: Client, folder: Path, playwright: Playwright, stack: contextlib.AsyncExitStack
    ) -> None:
        self.http = http
        self.room = http.server.new_room()
        self.publication = ""
        self._folder = folder
        self._playwright = playwright
        self._stack = stack

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, server: Server, folder: Path) -> AsyncIterator[Stage]:
        async with contextlib.AsyncExitStack() as stack:
            playwright = await stack.enter_async_context(async_playwright())
            http = await stack.enter_async_context(Client(server))
            yield cls(http, folder, playwright, stack)

    async def theatre(self) -> tuple[Engine, Page]:
        """A surgeon's page with ``CAMERA``, sending."""
        engine, visitor = await self._page(CAMERA)
        page = visitor.page
        await page.goto(self.http.server.page("theatre", self.room, Role.SURGEON, "Dr Lan"))
        await page.wait_for_selector(".source video")
        await page.click(".button.main.big")
        await page.wait_for_selector('.source[data-type="endoscope"][data-state="sending"]', timeout=30_000)
        return engine, page

    async def observer(self, script: str = "") -> tuple[Engine, Page]:
        """An observer's page in which this ran first, showing a live picture."""
        engine, visitor = await self._page(script)
        await visitor.page.goto(self.http.server.page("observe", self.room, Role.OBSERVER))
        await visitor.page.click(".button.main.big")
        await visitor.wait_tile("live", 30.0)
        return engine, visitor.page

    async def _page(self, script: str) -> tuple[Engine, Visitor]:
        engine = await self._stack.enter_async_context(Engine.launch(self._playwright))
        visitor = await Visitor.open(
            engine.browser, self.http.server, "/", language="en", wide=True, pictures=self._folder
        )
        await visitor.page.add_init_script(script)
        return engine, visitor

    async def surgeon(self) -> Member:
        """An aiortc surgeon who sends a picture, and no sound."""
        surgeon = await self._stack.enter_async_context(Member(self.http, self.room, Role.SURGEON))
        self.publication, *_ = await surgeon.publish([(MarkedTrack(), "Scope", "endoscope")])
        return surgeon

    async def watcher(self, over: str | None = None) -> Member:
        """An aiortc observer of that surgeon; ``over``: another address of the same server."""
        http = self.http
        if over is not None:
            http = await self._stack.enter_async_context(Client(dataclasses.replace(http.server, url=over)))
        observer = await self._stack.enter_async_context(Member(http, self.room, Role.OBSERVER))
        await observer.do("subscribe", publications=[self.publication])
        await (await observer.watch(self.publication)).frames(5)
        return observer

    async def well(self) -> None:
        """Until there is nothing to find, for some seconds together, however busy others keep the machine."""
        good = 0

        async def quiet() -> bool:
            nonlocal good
            good = good + 1 if (await row(self.http, self.room))["state"] == "good" else 0
            await asyncio.sleep(0.5)
            return good >= 10

        await until(quiet, 150, "a room without a finding")
