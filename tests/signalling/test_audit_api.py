"""The audit over REST: for auditors only, page by page, and reading it is audited too."""

from __future__ import annotations

from mediaserver.audit import Event
from tests.signalling.conftest import House
from tests.signalling.test_api import call

AUDIT = "/api/v1/audit"


async def test_an_auditor_reads_it_page_by_page(house: House) -> None:
    for room in ("a", "b", "a", "b", "a"):
        house.store.audit.append(Event.VIEW_START, actor="p", room=room, details={"n": [1, 2]})
    await house.store.audit.flush()
    auditor = house.bearer("auditor", "*")
    seen: list[int] = []
    after: int | None = 0
    while after is not None:
        status, page = await call(house, "GET", f"{AUDIT}?after={after}&limit=2&room=a", auditor)
        assert status == 200
        seen += [record["seq"] for record in page["records"]]
        after = page["next"]
    assert seen[:3] == [2, 4, 6], "audit.start is of no room"
    await house.store.audit.flush()
    _, everything = await call(house, "GET", AUDIT, auditor)
    assert everything["records"][1]["details"] == {"n": [1, 2]}
    assert "audit.read" in [record["event"] for record in everything["records"]]
    _, own = await call(house, "GET", AUDIT, house.bearer("auditor", "b"))
    assert {record["room"] for record in own["records"]} == {"b"}
    assert (await call(house, "GET", f"{AUDIT}?room=a", house.bearer("auditor", "b")))[0] == 403


async def test_whether_it_is_whole(house: House) -> None:
    status, found = await call(house, "GET", f"{AUDIT}/verification", house.bearer("auditor", "*"))
    assert (status, found["intact"], found["signatures_checked"]) == (200, True, True)
    assert (await call(house, "GET", f"{AUDIT}/verification", house.bearer("surgeon")))[0] == 403


async def test_nobody_else_reads_it(house: House) -> None:
    for role in ("surgeon", "staff", "specialist", "moderator", "observer"):
        assert (await call(house, "GET", AUDIT, house.bearer(role)))[0] == 403
    assert (await call(house, "GET", AUDIT, house.bearer("operator", "*")))[0] == 403
    for query in ("after=x", "limit=5000", "after=-1", "limit=²"):
        assert (await call(house, "GET", f"{AUDIT}?{query}", house.bearer("auditor", "*")))[0] == 400
