"""axe-core finds nothing wrong with any page, before and in a room, on a desk and on a phone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import OpenVisitor
from tests.browser.test_pages import synthetic_theatre
from tests.browser.visitor import NARROW, WIDE, Visitor
from tests.running import ROOT, Server

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("chromium"),
]
AXE = ROOT / "tests" / "interop" / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def axe() -> str:
    """The checker's source."""
    if not AXE.exists():
        pytest.skip("no axe-core: run npm ci in tests/interop")
    return AXE.read_text()


async def violations(visitor: Visitor, axe: str) -> list[str]:
    """What axe-core objects to, in short."""
    await visitor.page.evaluate(axe)
    result: dict[str, Any] = await visitor.page.evaluate("() => axe.run(document)")
    assert len(result["passes"]) > 5, "axe-core looked at nothing"
    return [f"{one['id']}: {one['nodes'][0]['target']}" for one in result["violations"]]


SPILLING = """() => [...document.querySelectorAll('.button')]
    .filter(one => one.scrollWidth > one.clientWidth || one.scrollHeight > one.clientHeight)
    .map(one => one.innerText)"""
"""The buttons whose words do not fit in them."""


@pytest.mark.parametrize(
    ("page", "role"), [("theatre", "surgeon"), ("consult", "specialist"), ("observe", "observer")]
)
async def test_a_page_is_accessible(
    visit: OpenVisitor, server: Server, axe: str, page: str, role: str
) -> None:
    room = server.new_room()
    with synthetic_theatre(server, room):
        visitor = await visit(server.page(page, room, role))
        await visitor.page.wait_for_selector(".button.main.big")
        assert await violations(visitor, axe) == []
        await visitor.page.click(".button.main.big")
        await visitor.wait_tile("live")
        for width, height in (WIDE, NARROW):
            await visitor.page.set_viewport_size({"width": width, "height": height})
            assert await violations(visitor, axe) == []
            assert await visitor.page.evaluate(SPILLING) == []
            await visitor.picture(f"{page}-{width}")
