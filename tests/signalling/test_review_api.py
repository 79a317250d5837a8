"""Who may see which recording, what of it is read, and that every look is in the audit."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from mediaserver.audit import SYSTEM
from mediaserver.ids import ProcedureId, RecordingId
from mediaserver.policy import Right, Role
from mediaserver.recording.folder import RecordingFolder
from mediaserver.recording.reader import Recording
from mediaserver.store import schema
from mediaserver.store.bookmarks import Place
from mediaserver.store.consents import Decision, Purpose
from signalling.review_api import COOKIE, RANGE_BYTES
from signalling.tokens import Audience
from tests.mediaserver.review.recorded import RECORDING, theatre
from tests.mediaserver.store.test_consents import decision
from tests.signalling.conftest import OpenHouse
from tests.signalling.reviewing import PROCEDURE, Reviewed, index, reviewed

SEGMENT = f"/{RECORDING}/tracks/t-cam-a/segments/0"
CARE = {"use": "care"}


@pytest.fixture
async def here(open_house: OpenHouse) -> Reviewed:
    return await reviewed(open_house)


def plain(here: Reviewed) -> bytes:
    recording = Recording.open(RecordingFolder.find(here.desk.roots, RECORDING).path, here.desk.vault)
    segment = recording.segments(recording.tracks[0])[0]
    return recording.read(segment, 0, segment.size)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, True),
        ({"text": "cat tui mat"}, True),
        ({"text": "túi Mật"}, True),
        ({"text": "BN-2026"}, True),
        ({"text": "dat"}, True),
        ({"staff": "le hong"}, True),
        ({"staff": "tui mat"}, False),
        ({"room": "qk2"}, True),
        ({"room": "7qk3"}, False),
        ({"from": "2026-03-09", "to": "2026-03-09"}, True),
        ({"from": "2026-03-10"}, False),
        ({"to": "2026-03-08"}, False),
    ],
)
async def test_recordings_are_found(here: Reviewed, query: dict[str, str], found: bool) -> None:
    response = await here.ask("GET", "", params=query)
    listed = await response.json()
    assert [one["id"] for one in listed["recordings"]] == ([RECORDING] if found else [])
    if found:
        [one] = listed["recordings"]
        assert (one["title"], one["state"], one["seconds"]) == ("Cắt túi mật nội soi", "sealed", 8.0)
        assert one["staff"] == ["Nguyễn Đức Đạt", "Lê Thị Hồng"]


async def test_a_search_is_audited_without_its_words(here: Reviewed) -> None:
    for query in ({"text": "túi Mật"}, {"staff": "nobody"}):
        assert (await here.ask("GET", "", params=query)).status == 200
    from mediaserver.store.audit import AuditTrail, find

    trail = here.desk.audit
    assert isinstance(trail, AuditTrail)
    await trail.flush()
    looked = (await trail.database.read(find))[-2:]
    assert [one.event for one in looked] == ["recording.search"] * 2
    assert [one.details for one in looked] == ['{"found":1}', '{"found":0}']
    assert [one.room_name(trail.rooms) for one in looked] == ["7QK2"] * 2


@pytest.mark.parametrize("role", [Role.SURGEON, Role.STAFF, Role.SPECIALIST, Role.MODERATOR])
async def test_who_may_review_opens_it(here: Reviewed, role: Role) -> None:
    detail = await here.open(role=role)
    assert [track["label"] for track in detail["tracks"]] == ["Nội soi đường mật", "", "Bác sĩ Ánh"]
    assert detail["seconds"] == pytest.approx(8.0)
    assert detail["tracks"][0]["segments"][1]["gaps"] == [
        {"start": 3.0, "end": 5.0, "reason": "muted"},
        {"start": 6.0, "end": 6.5, "reason": "lost"},
    ]
    assert ("export" in detail["rights"]) == (role in (Role.SURGEON, Role.MODERATOR))
    assert (await here.ask("GET", SEGMENT, role=None)).status == 200


@pytest.mark.parametrize("role", [Role.OBSERVER, Role.OPERATOR])
async def test_who_may_not_sees_nothing_and_is_noted(here: Reviewed, role: Role) -> None:
    for method, path in (("GET", ""), ("POST", f"/{RECORDING}/views"), ("POST", f"/{RECORDING}/bookmarks")):
        assert (await here.ask(method, path, role=role, json={"seconds": 1})).status == 403, path
    assert ("access.deny", "denied", None) in await here.audited()


async def test_another_rooms_recording_is_as_if_it_were_not(here: Reviewed) -> None:
    other = await here.ask("POST", f"/{RECORDING}/views", room="other")
    none = await here.ask("POST", "/rNone/views", room="other")
    assert (other.status, await other.json()) == (none.status, await none.json())
    assert other.status == 404
    assert (await (await here.ask("GET", "", room="other")).json())["recordings"] == []


async def test_without_a_view_no_byte_is_read(here: Reviewed) -> None:
    for path in (SEGMENT, f"/{RECORDING}/tracks/t-cam-a/thumbnails/1"):
        assert (await here.ask("GET", path, role=None)).status == 401
        assert (await here.ask("GET", path)).status == 401, "a token alone is no view"
        assert (await here.ask("GET", path, role=None, headers={"Cookie": f"{COOKIE}x=x"})).status == 401


async def test_ranges_are_what_was_sealed(here: Reviewed) -> None:
    await here.open()
    whole = plain(here)
    response = await here.ask("GET", SEGMENT, role=None)
    assert (response.status, await response.read()) == (200, whole)
    assert response.headers["Cache-Control"] == "no-store"
    assert response.content_type == "video/webm"
    size = len(whole)
    for asked, start, stop in (
        ("bytes=0-", 0, min(size, RANGE_BYTES)),
        ("bytes=100-199", 100, 200),
        (f"bytes={size - 10}-", size - 10, size),
        ("bytes=-25", size - 25, size),
        (f"bytes=0-{size * 2}", 0, size),
    ):
        response = await here.ask("GET", SEGMENT, role=None, headers={"Range": asked})
        assert response.status == 206, asked
        assert await response.read() == whole[start:stop], asked
        assert response.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{size}"
    response = await here.ask("GET", SEGMENT, role=None, headers={"Range": f"bytes={size}-"})
    assert (response.status, response.headers["Content-Range"]) == (416, f"bytes */{size}")


@pytest.mark.parametrize(
    "path",
    [
        f"/{RECORDING}/tracks/t-none/segments/0",
        f"/{RECORDING}/tracks/t-cam-a/segments/99",
        f"/{RECORDING}/tracks/t-cam-a/segments/zero",
        f"/{RECORDING}/tracks/t-mic/thumbnails/3",
        f"/{RECORDING}/tracks/t-cam-a/thumbnails/4",
    ],
)
async def test_what_is_not_there_is_not_found(here: Reviewed, path: str) -> None:
    await here.open()
    assert (await here.ask("GET", path, role=None)).status == 404


async def test_thumbnails_are_small_pictures(here: Reviewed) -> None:
    await here.open()
    response = await here.ask("GET", f"/{RECORDING}/tracks/t-cam-a/thumbnails/1", role=None)
    assert (response.status, response.content_type) == (200, "image/jpeg")
    assert (await response.read())[:3] == b"\xff\xd8\xff"
    assert response.headers["Cache-Control"] == "no-store"


async def test_a_withdrawn_token_ends_what_it_opened(here: Reviewed) -> None:
    token = here.house.token(Role.SURGEON)
    headers = {"Authorization": f"Bearer {token}"}
    assert (
        await here.ask("POST", f"/{RECORDING}/views", role=None, headers=headers, json=CARE)
    ).status == 200
    assert (await here.ask("GET", SEGMENT, role=None)).status == 200
    authenticator = here.house.parts.authenticator
    authenticator.revoke(authenticator.check(token).claims)
    assert (await here.ask("GET", SEGMENT, role=None)).status == 401


async def test_a_view_ends_with_its_time_and_by_its_page(here: Reviewed) -> None:
    await here.open()
    here.house.clock.ahead_seconds += 1
    assert (await here.ask("DELETE", f"/{RECORDING}/views", role=None)).status == 204
    assert (await here.ask("GET", SEGMENT, role=None)).status == 401


async def test_one_tab_neither_takes_over_nor_ends_what_another_plays(here: Reviewed) -> None:
    await here.open()
    first = {"view": here.view}
    await here.open()
    assert first["view"] != here.view
    for view in (first, {}):
        assert (await here.ask("GET", SEGMENT, role=None, params=view)).status == 200
    assert (await here.ask("DELETE", f"/{RECORDING}/views", role=None)).status == 204
    assert (await here.ask("GET", SEGMENT, role=None)).status == 401
    assert (await here.ask("GET", SEGMENT, role=None, params=first)).status == 200


async def test_the_audit_says_who_watched_what(here: Reviewed) -> None:
    await here.open()
    await here.ask("GET", SEGMENT, role=None)
    for second, status in ((6, 404), (1, 200), (7, 200)):
        picture = f"/{RECORDING}/tracks/t-cam-a/thumbnails/{second}"
        assert (await here.ask("GET", picture, role=None)).status == status
    await here.ask("DELETE", f"/{RECORDING}/views", role=None)
    assert [event for event, _, subject in await here.audited() if subject == RECORDING] == [
        "view.start",
        "view.stop",
    ]
    from mediaserver.store.audit import AuditTrail, find

    assert isinstance(here.desk.audit, AuditTrail)
    begun, last = (await here.desk.audit.database.read(find))[-2:]
    assert (begun.procedure, last.procedure) == (PROCEDURE, PROCEDURE)
    assert '"watched.t-cam-a":"0-3"' in last.details
    assert '"pictures.t-cam-a":"1-2,7-8"' in last.details, "the one that was not there was not seen"


async def test_one_that_was_altered_is_shown_as_such_and_not_exported(here: Reviewed) -> None:
    assert (await here.open())["verified"] is True
    manifest = (await here.desk.folder(RECORDING)).manifest
    whole = manifest.read_bytes()
    manifest.write_bytes(whole.replace(b'"lost":3', b'"lost":0', 1))
    assert (await here.open())["verified"] is False
    assert (await here.ask("GET", SEGMENT, role=None)).status == 200
    order = {"form": "png", "tracks": ["t-cam-a"], "start_seconds": 1.0}
    refused = await here.ask("POST", f"/{RECORDING}/exports", json=order)
    assert (refused.status, (await refused.json())["code"]) == (409, "altered")
    manifest.write_bytes(b"".join(whole.splitlines(keepends=True)[:-2]))
    assert (await here.open())["verified"] is False, "the index has the segment that was cut off"


async def test_moments_are_marked_and_unmarked(here: Reviewed) -> None:
    made = await here.ask("POST", f"/{RECORDING}/bookmarks", json={"seconds": 2.5, "label": "Kẹp động mạch"})
    mark: dict[str, Any] = await made.json()
    assert (mark["seconds"], mark["label"], mark["live"]) == (2.5, "Kẹp động mạch", False)
    assert (await here.open())["bookmarks"] == [mark]
    assert (await here.ask("DELETE", f"/{RECORDING}/bookmarks/{mark['id']}")).status == 204
    assert (await here.ask("DELETE", f"/{RECORDING}/bookmarks/{mark['id']}")).status == 404
    assert (await here.open())["bookmarks"] == []
    events = [event for event, _, _ in await here.audited()]
    assert "bookmark.create" in events
    assert "bookmark.remove" in events


async def test_a_moment_marked_live_is_found_in_the_recording(
    here: Reviewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    live = RecordingId("rLive-1")
    theatre(
        here.desk.roots[0], here.desk.vault, live, procedure=PROCEDURE, started_at=now - timedelta(seconds=3)
    )
    await index(here.house)
    socket, _ = await here.house.join(Role.STAFF)
    assert (await socket.ask("mark", label="Chảy máu"))["type"] == "ok"
    opened = await (await here.ask("POST", f"/{live}/views", json=CARE)).json()
    [mark] = opened["bookmarks"]
    assert (mark["label"], mark["live"]) == ("Chảy máu", True)
    assert 2.9 < mark["seconds"] < 8
    monkeypatch.setattr(here.house.server.recordings, "place", lambda _: Place(live, 7.5))
    assert (await socket.ask("mark", label="Kẹp"))["type"] == "ok"
    opened = await (await here.ask("POST", f"/{live}/views", json=CARE)).json()
    assert [one["seconds"] for one in opened["bookmarks"]] == [mark["seconds"], 7.5], "where the recorder was"
    elsewhere, _ = await here.house.join(Role.STAFF, "room-without")
    assert (await elsewhere.ask("mark"))["code"] == "nothing_to_mark"
    observer, _ = await here.house.join(Role.OBSERVER, "room-without")
    assert (await observer.ask("mark"))["code"] == "not_permitted"


async def test_bad_requests_are_named(here: Reviewed) -> None:
    assert (await here.ask("GET", "", params={"from": "yesterday"})).status == 400
    for wrong in ({"seconds": -1}, {"seconds": 1, "label": "x" * 201}, {"seconds": 1, "more": 1}, {}):
        assert (await here.ask("POST", f"/{RECORDING}/bookmarks", json=wrong)).status == 400, wrong


async def test_without_a_master_key_review_is_off(open_house: OpenHouse) -> None:
    house = await open_house({"recording": {}})
    response = await house.http.get(f"{house.url}/api/v1/recordings", headers=house.bearer())
    assert (response.status, (await response.json())["code"]) == (404, "review_off")


async def test_who_may_study_all_rooms_finds_what_lies_in_any(here: Reviewed) -> None:
    study = frozenset({Right.REVIEW, Right.MARK})
    for role, rights in ((Role.AUDITOR, None), (Role.SPECIALIST, study)):
        headers = here.house.bearer(role, "*", rights=rights)
        found = await here.ask(
            "GET", "", role=None, headers=headers, params={"text": "tui mat", "room": "qk"}
        )
        assert [one["room"] for one in (await found.json())["recordings"]] == ["7QK2"]
        opened = await here.ask("POST", f"/{RECORDING}/views", role=None, headers=headers, json=CARE)
        assert opened.status == 200
        socket = await here.house.socket()
        token = here.house.token(role, "*", rights=rights)
        assert (await socket.ask("join", token=token, name="An"))["type"] == "error", "it enters no room"
    with pytest.raises(ValueError, match="room must be"):
        here.house.token(Role.SURGEON, "*", rights=frozenset({Right.REVIEW, Right.RECORD}))


async def decide(here: Reviewed, what: Decision) -> None:
    await here.house.store.consents.decide(
        ProcedureId(PROCEDURE), decision(what, Purpose.TREATMENT_LINK), SYSTEM
    )


async def test_a_declined_link_keeps_specialists_from_the_recordings_too(here: Reviewed) -> None:
    await decide(here, Decision.REFUSED)
    for method, path in (("POST", "views"), ("GET", "reception"), ("POST", "bookmarks")):
        answer = await here.ask(method, f"/{RECORDING}/{path}", role=Role.SPECIALIST, json=CARE)
        assert (answer.status, (await answer.json())["code"]) == (403, "treatment_link_declined"), path
    assert ("access.deny", "denied", None) in await here.audited()
    study = here.house.bearer(Role.SPECIALIST, "*", rights=frozenset({Right.REVIEW}))
    for headers in (study, here.house.bearer(Role.SPECIALIST, procedure=PROCEDURE)):
        found = await here.ask("GET", "", role=None, headers=headers)
        assert (await found.json())["recordings"] == []
    for role in (Role.SURGEON, Role.STAFF, Role.MODERATOR, Role.AUDITOR):
        assert len((await (await here.ask("GET", "", role=role)).json())["recordings"]) == 1
        await here.open(role=role)
    await decide(here, Decision.GIVEN)
    await here.open(role=Role.SPECIALIST)


async def test_taking_the_link_back_ends_what_specialists_watch(here: Reviewed) -> None:
    await decide(here, Decision.GIVEN)
    await here.open(role=Role.SPECIALIST)
    assert (await here.ask("GET", SEGMENT, role=None)).status == 200
    await decide(here, Decision.WITHDRAWN)
    async with asyncio.timeout(2):
        while (await here.ask("GET", SEGMENT, role=None)).status != 401:  # noqa: ASYNC110 - asks the server
            await asyncio.sleep(0.02)
    await here.open(role=Role.STAFF)
    assert (await here.ask("GET", SEGMENT, role=None)).status == 200


async def test_a_specialist_studies_the_case_they_were_invited_to(here: Reviewed) -> None:
    """And not of every patient whom the theatre ever had."""
    await close_case(here)
    for procedure in (None, "proc-2"):
        listed = await here.ask("GET", "", role=Role.SPECIALIST, procedure=procedure)
        assert (await listed.json())["recordings"] == []
        opened = await here.ask(
            "POST", f"/{RECORDING}/views", role=Role.SPECIALIST, procedure=procedure, json=CARE
        )
        assert opened.status == 404
    narrowed = here.house.bearer(Role.SPECIALIST, rights=frozenset({Right.REVIEW}))
    listed = await here.ask("GET", "", role=None, headers=narrowed)
    assert len((await listed.json())["recordings"]) == 1, "made on purpose to study the room"


async def test_an_invitation_tells_the_case_that_it_is_to(here: Reviewed) -> None:
    """Whoever has it studies that case later, too, while the room serves the next patient."""
    await here.house.parts.server.audience.refresh()
    surgeon = here.house.bearer(Role.SURGEON)
    wish = {"room": "7QK2", "role": "specialist"}
    made = await here.house.http.post(f"{here.house.url}/api/v1/tokens", headers=surgeon, json=wish)
    named = (await made.json())["token"]
    unnamed = here.house.token(Role.SPECIALIST, audience=Audience.INVITE)
    for invitation, later in ((named, 1), (unnamed, 0)):
        assert await found_by(here, invitation) == 1, "while the room serves it"
        await close_case(here)
        assert await found_by(here, invitation) == later
        await reopen(here)


async def found_by(here: Reviewed, invitation: str) -> int:
    headers = {"Authorization": f"Bearer {invitation}"}
    joined = await here.house.http.post(f"{here.house.url}/api/v1/join", headers=headers, json={})
    token = (await joined.json())["token"]
    listed = await here.ask("GET", "", role=None, headers={"Authorization": f"Bearer {token}"})
    return len((await listed.json())["recordings"])


async def close_case(here: Reviewed) -> None:
    await here.house.store.procedures.close(ProcedureId(PROCEDURE), SYSTEM)
    await here.house.parts.server.audience.refresh()


async def reopen(here: Reviewed) -> None:
    again = update(schema.procedures).values(closed_at=None)
    await here.house.store.database.write(lambda connection: connection.execute(again))
    await here.house.parts.server.audience.refresh()
