"""A room is told of its interrupted recording as somebody enters, once, and of nothing settled meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from mediaserver.events import RecordingInterrupted, RecordingInterruption
from mediaserver.ids import ParticipantId, ProcedureId, RecordingId, Redacted, RoomId
from mediaserver.policy import RIGHTS, Role
from mediaserver.recording.interruption import Watch
from mediaserver.room import Member, Room
from mediaserver.store.database import DatabaseFailed

FOUND = RecordingInterruption(RecordingId("r1"), ProcedureId("p1"))


class Register:
    """Answers as a test says."""

    def __init__(self) -> None:
        self.answers: list[RecordingInterruption | None] = []
        self.asked = 0
        self.failures = 0
        self.meanwhile: Callable[[], object] = lambda: None

    async def of(self, room: RoomId) -> RecordingInterruption | None:
        assert room == "7QK2"
        self.asked += 1
        await asyncio.sleep(0)
        if self.failures:
            self.failures -= 1
            raise DatabaseFailed
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        return self.answers.pop(0)


class Theatre:
    """A room and what it is told."""

    def __init__(self) -> None:
        self.register = Register()
        self.told: list[RecordingInterruption | None] = []
        self.watch = Watch(self.register, self._take)
        self.room = Room(RoomId("7QK2"), 0, 8, 8, 8)

    def _take(self, room: Room, event: RecordingInterrupted) -> None:
        assert room is self.room
        self.told.append(event.interruption)

    def enter(self) -> None:
        id = ParticipantId("a")
        self.room.members[id] = Member(id, Redacted("An"), Role.STAFF, RIGHTS[Role.STAFF])
        self.watch.follow(self.room)

    def empty(self) -> None:
        self.room.members.clear()
        self.watch.follow(self.room)

    async def answered(self) -> None:
        async with asyncio.timeout(5):
            await asyncio.gather(*self.watch._asking)


async def test_asked_once_for_each_time_that_the_room_fills() -> None:
    theatre = Theatre()
    theatre.register.answers = [FOUND, None]
    theatre.enter()
    theatre.enter()
    await theatre.answered()
    assert (theatre.told, theatre.room.info().interruption) == ([FOUND], FOUND)
    theatre.empty()
    assert theatre.room.interruption is None
    theatre.enter()
    await theatre.answered()
    assert (theatre.told, theatre.register.asked) == ([FOUND], 2)


async def test_settled_by_whoever_starts_or_leaves_it() -> None:
    theatre = Theatre()
    theatre.register.answers = [FOUND]
    theatre.enter()
    await theatre.answered()
    assert theatre.watch.settle(theatre.room) is FOUND
    assert theatre.watch.settle(theatre.room) is None
    assert theatre.told == [FOUND, None]


async def test_a_consent_taken_back_settles_its_procedure_alone() -> None:
    theatre = Theatre()
    theatre.register.answers = [FOUND]
    theatre.enter()
    await theatre.answered()
    theatre.watch.revoke(ProcedureId("other"))
    assert theatre.told == [FOUND]
    theatre.watch.revoke(ProcedureId("p1"))
    assert theatre.told == [FOUND, None]


@pytest.mark.parametrize("meanwhile", ["settled", "revoked"])
async def test_an_answer_from_before_a_decision_does_not_count(meanwhile: str) -> None:
    theatre = Theatre()
    theatre.register.answers = [FOUND, None]
    theatre.register.meanwhile = (
        (lambda: theatre.watch.settle(theatre.room))
        if meanwhile == "settled"
        else (lambda: theatre.watch.revoke(ProcedureId("p1")))
    )
    theatre.enter()
    await theatre.answered()
    assert (theatre.told, theatre.register.asked) == ([], 2)


async def test_a_room_that_emptied_meanwhile_is_told_nothing() -> None:
    theatre = Theatre()
    theatre.register.answers = [FOUND]
    theatre.register.meanwhile = theatre.empty
    theatre.enter()
    await theatre.answered()
    assert (theatre.told, theatre.room.interruption) == ([], None)


async def test_a_database_that_fails_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mediaserver.recording.leftovers.RETRY_SECONDS", 0.0)
    theatre = Theatre()
    theatre.register.answers, theatre.register.failures = [FOUND], 2
    theatre.enter()
    await theatre.answered()
    assert theatre.told == [FOUND]


async def test_the_end_leaves_no_question_behind() -> None:
    theatre = Theatre()
    theatre.register.failures = 1_000_000
    theatre.enter()
    await theatre.watch.end()
    assert theatre.told == []
