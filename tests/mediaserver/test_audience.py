"""Who may be in a room that serves a patient: every role, class and decision against the rules in words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping

import pytest

from mediaserver.audience import Audience, OutsideViewersNotConsented, Served, TeachingNotConsented, lacking
from mediaserver.audit import NoAudit
from mediaserver.clinical import ClinicalClass
from mediaserver.events import ClosingReason
from mediaserver.ids import ProcedureId, RoomId
from mediaserver.plane import open_plane
from mediaserver.policy import Role
from mediaserver.rooms import Rooms
from mediaserver.session import Registry, Session
from mediaserver.store.consents import Purpose
from mediaserver.store.database import DatabaseFailed
from tests.mediaserver.peers import settings

ROOM = RoomId("one")
ONE = ProcedureId("procedure-1")
TEACHING, SURGERY = ClinicalClass.TEACHING, ClinicalClass.SURGERY
BOTH = frozenset({Purpose.OUTSIDE_VIEWERS, Purpose.TEACHING})


def served(*permitted: Purpose, declined: frozenset[Purpose] = frozenset()) -> Served:
    return Served(ONE, frozenset(permitted), declined)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("named", [None, TEACHING, SURGERY])
def test_a_room_without_a_patient_asks_nobody(role: Role, named: ClinicalClass | None) -> None:
    assert lacking(role, (named,), None) is None


@pytest.mark.parametrize("role", [Role.SURGEON, Role.STAFF, Role.MODERATOR])
def test_who_takes_consents_down_is_never_kept_out(role: Role) -> None:
    assert lacking(role, (TEACHING,), served(declined=frozenset(Purpose))) is None


@pytest.mark.parametrize(
    ("given", "named", "missing"),
    [
        ((), SURGERY, Purpose.OUTSIDE_VIEWERS),
        ((Purpose.RECORDING, Purpose.TREATMENT_LINK, Purpose.TEACHING), None, Purpose.OUTSIDE_VIEWERS),
        ((Purpose.OUTSIDE_VIEWERS,), SURGERY, None),
        ((Purpose.OUTSIDE_VIEWERS,), TEACHING, Purpose.TEACHING),
        (tuple(BOTH), TEACHING, None),
    ],
)
def test_an_observer_is_from_outside_and_where_it_is_taught_a_pupil(
    given: tuple[Purpose, ...], named: ClinicalClass | None, missing: Purpose | None
) -> None:
    assert lacking(Role.OBSERVER, (named,), served(*given)) is missing


def test_a_specialist_takes_part_until_the_patient_declines() -> None:
    declined = frozenset({Purpose.TREATMENT_LINK})
    assert lacking(Role.SPECIALIST, (SURGERY,), served()) is None
    assert lacking(Role.SPECIALIST, (SURGERY,), served(declined=declined)) is Purpose.TREATMENT_LINK
    assert lacking(Role.SPECIALIST, (TEACHING,), served()) is Purpose.TEACHING


class Kept:
    """What a test says was decided."""

    def __init__(self) -> None:
        self.rooms: dict[RoomId, Served] = {}
        self.fails = False

    async def read(self) -> Mapping[RoomId, Served]:
        if self.fails:
            raise DatabaseFailed
        return dict(self.rooms)

    def changes(self) -> AsyncIterator[None]:
        raise NotImplementedError


@pytest.fixture
def registry() -> Iterator[Registry]:
    chosen = settings()
    made = Registry(chosen, open_plane(chosen.media), NoAudit())
    yield made
    made.plane.stop()


async def test_what_is_known_holds_while_the_database_fails(registry: Registry) -> None:
    kept = Kept()
    closed: list[tuple[Session, ClosingReason]] = []
    audience = Audience(registry, lambda session, reason: closed.append((session, reason)), kept)
    audience.check(ROOM, Role.OBSERVER, None)
    kept.rooms = {ROOM: served()}
    await audience.refresh()
    with pytest.raises(OutsideViewersNotConsented):
        audience.check(ROOM, Role.OBSERVER, None)
    kept.rooms, kept.fails = {}, True
    await audience.refresh()
    with pytest.raises(OutsideViewersNotConsented):
        audience.check(ROOM, Role.OBSERVER, None)
    kept.fails = False
    await audience.refresh()
    audience.check(ROOM, Role.OBSERVER, None)
    assert closed == []


async def test_nothing_begins_in_a_room_for_teaching_without_consent_to_it(registry: Registry) -> None:
    kept = Kept()
    audience = Audience(registry, lambda *_: None, kept)
    kept.rooms = {ROOM: served(Purpose.OUTSIDE_VIEWERS)}
    await audience.refresh()
    with pytest.raises(TeachingNotConsented):
        audience.check_beginning(ROOM, TEACHING)
    audience.check_beginning(ROOM, SURGERY)
    room = Rooms(registry).get_or_open(ROOM)
    room.used_for(TEACHING)
    with pytest.raises(TeachingNotConsented):
        audience.check_beginning(ROOM)
    room.used_for(SURGERY)
    audience.check_beginning(ROOM, TEACHING)
    kept.rooms = {ROOM: served(*BOTH)}
    await audience.refresh()
    audience.check_beginning(ROOM, TEACHING)
