"""Sessions outlive their sockets, not their participants."""

from __future__ import annotations

import asyncio

import pytest

from mediaserver.errors import UnknownParticipant
from mediaserver.policy import RIGHTS, Role
from signalling.auth import Bearer
from signalling.errors import SessionGone
from signalling.sessions import Session, Sessions
from signalling.tokens import Audience, new_claims
from tests.signalling.conftest import House


class Ear:
    """The end that a session speaks through."""

    def __init__(self) -> None:
        self.told = 0

    def replaced(self) -> None:
        self.told += 1


def bearer(house: House, subject: str = "me") -> Bearer:
    claims = new_claims(
        audience=Audience.JOIN,
        room="7QK2",
        role=Role.SURGEON,
        now_seconds=house.clock(),
        lifetime_seconds=60,
        subject=subject,
    )
    return Bearer(claims, RIGHTS[Role.SURGEON])


@pytest.fixture
def sessions(house: House) -> Sessions:
    return Sessions(house.server, resume_seconds=0.01)


def connected(house: House, session: Session) -> bool:
    return house.server.rooms[session.participant.room].member(session.participant.id).connected


async def test_a_session_ends_once(house: House, sessions: Sessions) -> None:
    mine = bearer(house)
    first = sessions.open(mine, "An", Ear())
    sessions.open(mine, "An", Ear())
    assert [claims.jti for claims in sessions.claims()] == [mine.claims.jti] * 2
    sessions.end(first)
    sessions.end(first)
    assert len(sessions) == 1
    with pytest.raises(UnknownParticipant):
        house.server.leave(first.participant)


async def test_another_socket_takes_over(house: House, sessions: Sessions) -> None:
    old, new = Ear(), Ear()
    session = sessions.open(bearer(house), "An", old)
    for id, token in ((session.id, "wrong"), ("wrong", session.resume_token)):
        with pytest.raises(SessionGone):
            sessions.resume(id, token, 0, new)
    assert sessions.resume(session.id, session.resume_token, 0, new) is session
    assert (old.told, new.told) == (1, 0)
    sessions.dropped(session, old)
    assert connected(house, session), "the old socket's end is no news"


async def test_a_socket_that_drops_may_come_back_in_time(house: House, sessions: Sessions) -> None:
    ear = Ear()
    session = sessions.open(bearer(house), "An", ear)
    sessions.dropped(session, ear)
    assert not connected(house, session)
    sessions.resume(session.id, session.resume_token, 0, ear)
    assert connected(house, session)
    sessions.dropped(session, ear)
    async with asyncio.timeout(5):
        while len(sessions):  # noqa: ASYNC110 - a timer of the loop ends it
            await asyncio.sleep(0.001)
    assert house.server.rooms[session.participant.room].empty


async def test_too_much_happened(house: House, sessions: Sessions) -> None:
    session = sessions.open(bearer(house), "An", Ear())
    with pytest.raises(SessionGone):
        sessions.resume(session.id, session.resume_token, 99, Ear())
    assert len(sessions) == 0


async def test_the_sessions_of_a_token(house: House, sessions: Sessions) -> None:
    mine = bearer(house)
    session = sessions.open(mine, "An", Ear())
    sessions.open(bearer(house), "An", Ear())
    assert sessions.of_token(mine.claims.jti) == [session]
    assert "resume_token" not in repr(session)
