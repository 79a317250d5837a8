"""Which token began which WHIP or WHEP session: only its holder may PATCH or DELETE it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mediaserver.ids import SessionId
from signalling.tokens import Claims

PRUNE_ABOVE = 1024
"""Entries kept before those of ended sessions are looked for and dropped; doubles with what lives."""


class Holders:
    """Claims by session. A session that ends by itself (consent lost) leaves its entry to the next pruning.

    ``lives`` says whether a session still stands.
    """

    def __init__(self, lives: Callable[[SessionId], bool]) -> None:
        self._lives = lives
        self._by_session: dict[SessionId, Claims] = {}
        self._prune_at = PRUNE_ABOVE

    def __len__(self) -> int:
        return len(self._by_session)

    def add(self, session: SessionId, holder: Claims) -> None:
        """Remembers; now and then forgets those that live
        no more, so the map is never above twice what lives."""
        self._by_session[session] = holder
        if len(self._by_session) >= self._prune_at:
            self._by_session = {known: kept for known, kept in self._by_session.items() if self._lives(known)}
            self._prune_at = max(PRUNE_ABOVE, 2 * len(self._by_session))

    def get(self, session: SessionId) -> Claims | None:
        """Who began it."""
        return self._by_session.get(session)

    def drop(self, session: SessionId) -> None:
        """Forgets. Idempotent."""
        self._by_session.pop(session, None)

    def claims(self) -> Iterator[Claims]:
        """Of every session that stands."""
        return (holder for session, holder in self._by_session.items() if self._lives(session))

    def of_token(self, jti: str) -> list[SessionId]:
        """Sessions that hang on a token or invitation, for its revocation."""
        return [session for session, holder in self._by_session.items() if holder.hangs_on(jti)]
