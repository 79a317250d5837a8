"""Chromium, once per worker; each page is watched for errors and for requests that leave the server."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.browser.visitor import ARGUMENTS, Visitor
from tests.running import Server

OpenVisitor = Callable[..., Awaitable[Visitor]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """One browser; each visitor gets a clean profile in it."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("no Chromium: install Debian's package chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def visit(chromium: Browser, server: Server, tmp_path: Path) -> AsyncIterator[OpenVisitor]:
    """Opens pages of the server; at the end none may have had an error or asked anybody else for anything."""
    visitors: list[Visitor] = []

    async def open_page(path: str = "/", *, language: str = "vi", wide: bool = True) -> Visitor:
        visitor = await Visitor.open(chromium, server, path, language=language, wide=wide, pictures=tmp_path)
        visitors.append(visitor)
        return visitor

    yield open_page
    problems = [problem for visitor in visitors for problem in visitor.problems]
    for visitor in visitors:
        await visitor.close()
    assert problems == []
