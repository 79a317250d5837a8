"""Holds and deletion over REST: two named people of separate origin, and nobody else."""

from __future__ import annotations

import pytest

from mediaserver.recording.folder import RecordingFolder
from mediaserver.review.export.order import Order
from mediaserver.store.deletions import Deletions, check_certificate
from mediaserver.store.objects import StorageFailed
from signalling.tokens import Audience
from tests.mediaserver.store.kept import Kept, keep
from tests.signalling.conftest import House
from tests.signalling.test_api import call


@pytest.fixture
async def kept(house: House) -> Kept:
    store = house.store
    assert store.vault is not None
    return await keep(store.database, store.vault, house.parts.settings.data.folder / "recordings")


async def test_two_people_delete_and_a_hold_stops_them(house: House, kept: Kept) -> None:
    path = f"/api/v1/recordings/{kept.id}"
    auditor = house.bearer("auditor", "*", name="Đặng Thị Hồng")
    row = await kept.recordings.get(kept.id)
    chair = house.bearer("moderator", row.room, name="Lê Văn Đức")
    _, due = await call(house, "GET", "/api/v1/due", auditor)
    assert [one["recording"] for one in due["due"]] == [kept.id]
    status, keeping = await call(house, "POST", f"{path}/deletions", chair, {"reason": "Hết hạn"})
    assert status == 200
    number = keeping["deletions"][0]["id"]
    confirm = f"{path}/deletions/{number}/confirmation"
    assert (await call(house, "POST", confirm, chair))[0] == 403, "whoever asked"
    same_name = house.bearer("moderator", row.room, name="lê văn đức")
    assert (await call(house, "POST", confirm, same_name))[0] == 403, "another token of the same name"
    nameless = house.bearer("auditor", "*")
    assert (await call(house, "POST", confirm, nameless))[0] == 403, "a token without a name"
    _, keeping = await call(house, "POST", f"{path}/holds", auditor, {"reason": "Kiện tụng"})
    assert (await call(house, "POST", confirm, auditor))[1]["code"] == "recording_kept"
    hold = keeping["holds"][0]["id"]
    assert (await call(house, "DELETE", f"{path}/holds/{hold}", chair))[0] == 403
    assert (await call(house, "DELETE", f"{path}/holds/{hold}", auditor))[0] == 200
    status, keeping = await call(house, "POST", confirm, auditor)
    assert (status, keeping["deleted_at"] is not None) == (200, True)
    certificate = keeping["deletions"][0]["certificate"]
    assert certificate["certificate"]["recording"] == kept.id
    [stored] = await house.store.deletions.of(kept.id)
    assert stored.certificate is not None
    assert check_certificate(stored.certificate) == certificate["certificate"]
    assert not kept.folder.exists()
    assert (await call(house, "GET", "/api/v1/due", auditor))[1] == {"due": []}


async def test_an_invitation_of_ones_own_is_no_second_person(house: House, kept: Kept) -> None:
    """Whoever invites themselves under another name stays who they are."""
    row = await kept.recordings.get(kept.id)
    path = f"/api/v1/recordings/{kept.id}/deletions"
    chair = house.bearer("moderator", row.room, name="Lê Văn Đức")
    _, keeping = await call(house, "POST", path, chair, {"reason": "x"})
    wish = {"room": row.room, "role": "moderator", "name": "Ai Khác"}
    _, invited = await call(house, "POST", "/api/v1/tokens", chair, wish)
    _, joined = await call(house, "POST", "/api/v1/join", {"Authorization": f"Bearer {invited['token']}"}, {})
    other = {"Authorization": f"Bearer {joined['token']}"}
    confirm = f"{path}/{keeping['deletions'][0]['id']}/confirmation"
    assert (await call(house, "POST", confirm, other))[0] == 403
    assert kept.segment(1).exists()


async def test_names_that_their_holder_typed_are_nobody(house: House, kept: Kept) -> None:
    """One person with two nameless invitations is not two people, nor by inviting themselves from each."""
    row = await kept.recordings.get(kept.id)
    path = f"/api/v1/recordings/{kept.id}/deletions"
    chair = house.bearer("moderator", row.room, name="Lê Văn Đức")
    _, keeping = await call(house, "POST", path, chair, {"reason": "x"})
    confirm = f"{path}/{keeping['deletions'][0]['id']}/confirmation"

    async def joined(invitation: str, name: str) -> dict[str, str]:
        bearer = {"Authorization": f"Bearer {invitation}"}
        _, answer = await call(house, "POST", "/api/v1/join", bearer, {"name": name})
        return {"Authorization": f"Bearer {answer['token']}"}

    nameless = await joined(house.token("moderator", row.room, audience=Audience.INVITE), "Ai Khác")
    wish = {"room": row.room, "role": "moderator", "name": "Người Thứ Hai"}
    _, invited = await call(house, "POST", "/api/v1/tokens", nameless, wish)
    for who in (nameless, await joined(invited["token"], "")):
        assert (await call(house, "POST", path, who, {"reason": "x"}))[0] == 403
        assert (await call(house, "POST", confirm, who))[0] == 403
    assert kept.segment(1).exists()
    named = house.token("moderator", row.room, audience=Audience.INVITE, name="Đặng Thị Hồng")
    assert (await call(house, "POST", confirm, await joined(named, "Lê Văn Đức")))[0] == 200


async def test_who_may_not(house: House, kept: Kept) -> None:
    row = await kept.recordings.get(kept.id)
    path = f"/api/v1/recordings/{kept.id}"
    for role in ("surgeon", "staff", "specialist", "observer"):
        who = house.bearer(role, row.room, name="x")
        for method, where in (("GET", "keeping"), ("POST", "holds"), ("POST", "deletions")):
            assert (await call(house, method, f"{path}/{where}", who, {"reason": "x"}))[0] == 403
    elsewhere = house.bearer("moderator", "other", name="x")
    assert (await call(house, "GET", f"{path}/keeping", elsewhere))[0] == 404
    assert (await call(house, "POST", f"{path}/deletions/x/refusal", house.bearer("auditor", "*", name="y")))[
        0
    ] == 404
    assert (await call(house, "GET", "/api/v1/due", house.bearer("surgeon", row.room)))[0] == 403


@pytest.mark.parametrize("failing", [False, True], ids=["destroyed", "confirmed only"])
async def test_exports_go_with_their_recording(
    house: House, kept: Kept, monkeypatch: pytest.MonkeyPatch, failing: bool
) -> None:
    assert house.parts.desk is not None
    jobs = house.parts.desk.jobs
    order = Order(form="png", tracks=["t1"])
    made = jobs.start(kept.id, RecordingFolder(kept.folder), order, "u1")
    other = jobs.start("rOther", RecordingFolder(kept.folder), order, "u1")
    row = await kept.recordings.get(kept.id)
    path = f"/api/v1/recordings/{kept.id}/deletions"
    chair = house.bearer("moderator", row.room, name="Lê Văn Đức")
    _, keeping = await call(house, "POST", path, chair, {"reason": "x"})
    confirm = f"{path}/{keeping['deletions'][0]['id']}/confirmation"
    assert (await call(house, "POST", confirm, chair))[0] == 403
    assert made.folder.exists(), "nothing was confirmed"

    def fail(*_: object) -> None:
        raise StorageFailed

    if failing:
        monkeypatch.setattr(Deletions, "_erase", fail)
    auditor = house.bearer("auditor", "*", name="Đặng Thị Hồng")
    assert (await call(house, "POST", confirm, auditor))[0] == (503 if failing else 200)
    assert not made.folder.exists()
    assert jobs.of(kept.id) == []
    assert jobs.of("rOther") == [other]
