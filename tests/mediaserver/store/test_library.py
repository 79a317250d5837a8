"""The library: found with and without diacritics, by day, room and staff, and never what was deleted."""

from __future__ import annotations

import unicodedata
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from mediaserver.audit import Actor
from mediaserver.config import Retention
from mediaserver.ids import RecordingId, Redacted, RoomId, new_recording_id
from mediaserver.policy import Role
from mediaserver.store.audit import AuditTrail
from mediaserver.store.bookmarks import Bookmarks, Place, UnknownBookmark
from mediaserver.store.database import Database
from mediaserver.store.library import LOCAL, Library, NothingToMark, Query, folded, matches
from mediaserver.store.procedures import Procedures, StaffMember
from mediaserver.store.recordings import Recordings
from mediaserver.store.schema import now
from mediaserver.store.schema import recordings as table
from mediaserver.vault import Vault

ME = Actor(id="me")
CASES = [
    ("theatre-1", "BN-0042", "Cắt túi mật nội soi", ["Đặng Thị Hồng", "Lê Văn Đức"], "2026-11-03T23:30"),
    ("theatre-2", "BN-0077", "Mổ ruột thừa", ["Nguyễn Văn Ánh"], "2026-11-04T00:30"),
    ("theatre-1", "BN-0099", "Thay khớp háng", ["Đặng Văn Hòa"], "2026-11-09T09:00"),
]
"""Room, reference, title, staff, and when it began by the theatre's own clock."""


@pytest.fixture
async def library(database: Database, vault: Vault) -> Library:
    audit = AuditTrail(database, vault)
    procedures, kept = Procedures(database, vault, audit), Recordings(database, vault, audit, Retention())
    for room, reference, title, names, began in CASES:
        at = datetime.fromisoformat(began).replace(tzinfo=LOCAL)
        team = [StaffMember(Role.SURGEON, Redacted(name)) for name in names]
        procedure = await procedures.open(RoomId(room), reference, title, team, ME)
        id = new_recording_id()
        await kept.begin(id, procedure.id, RoomId(room), at)
        await kept.change(id, "sealed", at + timedelta(hours=1))
        await procedures.close(procedure.id, ME)
    return Library(database, procedures, Bookmarks(database, vault, audit))


async def search(library: Library, **what: object) -> list[str]:
    return [entry.reference for entry in await library.search(Query(**{"room": None, **what}))]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ["BN-0099", "BN-0077", "BN-0042"]),
        ("dang", ["BN-0099", "BN-0042"]),
        ("ĐẶNG", ["BN-0099", "BN-0042"]),
        (unicodedata.normalize("NFD", "Đặng"), ["BN-0099", "BN-0042"]),
        ("hong dang", ["BN-0042"]),
        ("hoà", ["BN-0099"]),
        ("duc", ["BN-0042"]),
        ("ruot thua", ["BN-0077"]),
        ("bn-0042", ["BN-0042"]),
        ("theatre-2", ["BN-0077"]),
        ("tim", []),
    ],
)
async def test_by_text(library: Library, text: str, found: list[str]) -> None:
    assert await search(library, text=text) == found


async def test_by_room_staff_and_day(library: Library) -> None:
    assert await search(library, room="theatre-1") == ["BN-0099", "BN-0042"]
    assert await search(library, staff="anh") == ["BN-0077"]
    assert await search(library, staff="ruot") == [], "a title is no staff"
    day = date(2026, 11, 3)
    assert await search(library, first_day=day, last_day=day) == ["BN-0042"]
    assert await search(library, first_day=date(2026, 11, 4)) == ["BN-0099", "BN-0077"]
    assert await search(library, last_day=date(2026, 11, 4)) == ["BN-0077", "BN-0042"]
    assert await search(library, room="theatre-1", text="dang", last_day=day) == ["BN-0042"]


async def test_what_was_deleted_is_not_found(library: Library, database: Database) -> None:
    [entry] = await library.search(Query(room=None, text="0042"))
    assert await library.entry(entry.id) == entry
    assert (entry.seconds, entry.staff) == (3600.0, ("Đặng Thị Hồng", "Lê Văn Đức"))
    await database.write(lambda c: c.execute(update(table).values(deleted_at=now())))
    assert await library.entry(entry.id) is None
    assert await search(library) == []


async def test_bookmarks_are_on_the_recordings_own_axis(library: Library) -> None:
    [entry] = await library.search(Query(room=None, text="0042"))
    late = await library.mark(entry, 90.5, "Kẹp", "me")
    early = await library.mark(entry, 10, "Rạch", "me")
    assert (late.seconds, late.live) == (90.5, False)
    assert [one.label for one in await library.bookmarks(entry)] == ["Rạch", "Kẹp"]
    await library.unmark(entry, early.id, "me")
    assert await library.bookmarks(entry) == [late]
    for wrong in ("x", "²", "999"):
        with pytest.raises(UnknownBookmark):
            await library.unmark(entry, wrong, "me")


async def test_a_clock_that_is_set_moves_no_mark(library: Library) -> None:
    [entry] = await library.search(Query(room=None, text="0042"))
    start, here = entry.started_at, RecordingId(entry.id)
    for at, place in (
        (timedelta(seconds=-300), Place(here, 60.0)),  # set back by six minutes
        (timedelta(hours=9), Place(here, 30.0)),  # set forward beyond the end
        (timedelta(seconds=90), Place(RecordingId("rOther"), 5.0)),  # of the procedure's other recording
        (timedelta(seconds=45), None),  # from before places were kept
        (timedelta(hours=9), None),
    ):
        await library.bookmarks_of.mark(entry.procedure, start + at, "", ME, live=True, place=place)
    assert [one.seconds for one in await library.bookmarks(entry)] == [30.0, 45.0, 60.0]


async def test_marking_live_needs_an_open_procedure(library: Library) -> None:
    with pytest.raises(NothingToMark):
        await library.mark_live("theatre-1", "", "me")
    opened = await library.procedures.open(RoomId("theatre-1"), "BN-1", "", (), ME)
    moment = await library.mark_live("theatre-1", "Chảy máu", "me")
    [kept] = await library.bookmarks_of.of(opened.id)
    assert (kept.at, kept.live, kept.label.reveal(), kept.place) == (moment, True, "Chảy máu", None)
    place = Place(RecordingId("r1"), 12.5)
    await library.mark_live("theatre-1", "", "me", place)
    assert (await library.bookmarks_of.of(opened.id))[-1].place == place


@given(
    st.text(
        alphabet="aăâbcdđeêghiklmnoôơpqrstuưvxyáàảãạắằẳẵặấầẩẫậéèẻẽẹếềểễệíìỉĩịóòỏõọốồổỗộớờởỡợúùủũụứừửữựýỳỷỹỵ "
    )
)
def test_folding_leaves_plain_letters_however_it_was_typed(text: str) -> None:
    for form in ("NFC", "NFD"):
        plain = folded(unicodedata.normalize(form, text.upper()))
        assert plain.isascii()
        assert plain == folded(text)
        assert folded(plain) == plain
    assert matches(text, f"x {text} y")
