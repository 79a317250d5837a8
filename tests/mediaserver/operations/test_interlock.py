"""When operators are asked for a reason."""

from __future__ import annotations

import pytest

from mediaserver.clinical import ClinicalClass
from mediaserver.ids import ParticipantId, Redacted, RoomId
from mediaserver.operations.interlock import interrupts, live_surgeries
from mediaserver.policy import RIGHTS, Role
from mediaserver.room import Member, Room


def room(kind: ClinicalClass | None, *roles: Role) -> Room:
    found = Room(RoomId("r"), 0, 32, 32, 8, clinical_class=kind)
    for role in roles:
        found.join(Member(ParticipantId(role.value), Redacted(""), role, RIGHTS[role]))
    return found


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(one, one in (ClinicalClass.SURGERY, ClinicalClass.EMERGENCY)) for one in [None, *ClinicalClass]],
)
def test_only_surgeries_and_emergencies_with_people_in_them_count(
    kind: ClinicalClass | None, expected: bool
) -> None:
    assert live_surgeries([room(kind, Role.OBSERVER), room(kind)]) == expected
    assert interrupts(room(kind, Role.SURGEON), [ParticipantId("surgeon")]) is expected


@pytest.mark.parametrize("role", list(Role))
def test_observers_may_go_at_any_time(role: Role) -> None:
    surgery = room(ClinicalClass.SURGERY, Role.SURGEON, role)
    needed = role in (Role.SURGEON, Role.STAFF, Role.SPECIALIST)
    assert interrupts(surgery, [ParticipantId(role.value)]) is needed
    assert not interrupts(surgery, [ParticipantId("elsewhere")])
