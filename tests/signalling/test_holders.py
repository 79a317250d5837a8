"""Whose WHIP or WHEP session it is."""

from __future__ import annotations

from mediaserver.ids import SessionId
from signalling.holders import PRUNE_ABOVE, Holder, Holders


def test_found_until_dropped() -> None:
    holders = Holders()
    mine = Holder("jti", "invitation", "me", "7QK2")
    holders.add(SessionId("a"), mine, lambda _: True)
    holders.add(SessionId("b"), Holder("other", None, "you", "7QK2"), lambda _: True)
    assert holders.get(SessionId("a")) is mine
    assert holders.of_token("jti") == holders.of_token("invitation") == ["a"]
    assert holders.of_token("else") == []
    holders.drop(SessionId("a"))
    holders.drop(SessionId("a"))
    assert holders.get(SessionId("a")) is None
    assert len(holders) == 1


def test_sessions_that_ended_by_themselves_are_forgotten_in_time() -> None:
    holders = Holders()

    def lives(id: SessionId) -> bool:
        return int(id) % 100 == 0

    for number in range(20 * PRUNE_ABOVE):
        id = SessionId(f"{number}")
        holders.add(id, Holder(f"{number}", None, "s", "r"), lives)
        assert len(holders) <= max(PRUNE_ABOVE, 2 * (number // 100 + 2))
        assert not lives(id) or holders.get(id) is not None
