"""Whose WHIP or WHEP session it is."""

from __future__ import annotations

from mediaserver.ids import SessionId
from signalling.holders import PRUNE_ABOVE, Holders
from tests.signalling.test_tokens import claims


def test_found_until_dropped() -> None:
    holders = Holders(lambda id: id != "gone")
    mine, yours = claims(ancestors=("invitation-of-mine",)), claims()
    holders.add(SessionId("a"), mine)
    holders.add(SessionId("b"), yours)
    holders.add(SessionId("gone"), claims())
    assert holders.get(SessionId("a")) is mine
    assert list(holders.claims()) == [mine, yours], "of those that stand"
    assert holders.of_token(mine.jti) == holders.of_token("invitation-of-mine") == ["a"]
    assert holders.of_token("else") == []
    holders.drop(SessionId("a"))
    holders.drop(SessionId("a"))
    assert holders.get(SessionId("a")) is None
    assert len(holders) == 2


def test_sessions_that_ended_by_themselves_are_forgotten_in_time() -> None:
    def lives(id: SessionId) -> bool:
        return int(id) % 100 == 0

    holders, mine = Holders(lives), claims()
    for number in range(20 * PRUNE_ABOVE):
        id = SessionId(f"{number}")
        holders.add(id, mine)
        assert len(holders) <= max(PRUNE_ABOVE, 2 * (number // 100 + 2))
        assert not lives(id) or holders.get(id) is not None
