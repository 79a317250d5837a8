"""The order of clinical classes, and what several tokens make of a room."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from mediaserver.clinical import ClinicalClass, most_urgent
from mediaserver.ids import RoomId
from mediaserver.policy import Role
from tests.mediaserver.peers import identity, make_server

NAMED = st.sampled_from([None, *ClinicalClass])


def test_surgery_comes_first_and_tests_last() -> None:
    by_urgency = sorted(ClinicalClass, key=lambda one: -one.urgency)
    assert [one.value for one in by_urgency] == ["surgery", "emergency", "consult", "teaching", "test"]


def test_only_where_somebody_may_be_under_the_knife_is_it_vital() -> None:
    assert [one.value for one in ClinicalClass if one.vital] == ["surgery", "emergency"]


@given(st.lists(NAMED, max_size=6))
def test_a_room_is_never_taken_for_less_than_a_token_said(tokens: list[ClinicalClass | None]) -> None:
    known: ClinicalClass | None = None
    for named in tokens:
        known = most_urgent(known, named)
    said = [one for one in tokens if one is not None]
    assert known == (max(said, key=lambda one: one.urgency) if said else None)


async def test_who_joins_says_what_the_room_is_for() -> None:
    server = make_server()
    await server.start()
    room = RoomId("theatre-1")
    server.join(identity(Role.OBSERVER), "")
    assert server.rooms[room].clinical_class is None
    quiet = identity(Role.STAFF)
    server.join(replace(quiet, clinical_class=ClinicalClass.SURGERY), "")
    server.join(replace(quiet, clinical_class=ClinicalClass.TEACHING), "")
    assert server.rooms[room].clinical_class is ClinicalClass.SURGERY
    await server.stop()
