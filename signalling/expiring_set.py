"""Token ids that must be remembered for as long as their tokens live, and no longer. No clock."""

from __future__ import annotations

from signalling.errors import RateLimited

MAX_REMEMBERED = 100_000
"""Ids held at once; each is dropped when its token has expired."""


class ExpiringSet:
    """Token ids, each forgotten once its token has expired. Bounded."""

    def __init__(self, limit: int = MAX_REMEMBERED) -> None:
        self._until: dict[str, float] = {}
        self._limit = limit

    def __contains__(self, token_id: str) -> bool:
        return token_id in self._until

    def __len__(self) -> int:
        return len(self._until)

    def add(self, token_id: str, until_seconds: float, now_seconds: float) -> None:
        """Raises ``RateLimited`` when full of tokens that still live: fails closed."""
        if len(self._until) >= self._limit:
            self._until = {known: until for known, until in self._until.items() if until > now_seconds}
            if len(self._until) >= self._limit:
                raise RateLimited("too many tokens are in use")
        self._until[token_id] = until_seconds

    def discard(self, token_id: str) -> None:
        """Forgets before its time. Idempotent."""
        self._until.pop(token_id, None)
