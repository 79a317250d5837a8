"""May this token open one more session: single use, and how many sessions stand at once by whom.

A join token opens one session, by WebSocket, WHIP or WHEP alike. A *reusable* one, which only ``loupe token``
makes, opens any number by WHIP and WHEP; a WebSocket session uses it up like any other (06-reliability W17).

Used tokens are remembered in memory: a restart forgets them, and a join token lives ten minutes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from mediaserver.errors import LimitReached
from signalling import tokens
from signalling.auth import Authenticator, Bearer
from signalling.errors import TokenUsed
from signalling.expiring_set import ExpiringSet
from signalling.holders import Holders
from signalling.sessions import Sessions
from signalling.tokens import Claims


class Admission:
    """Counts what stands when asked; keeps only used tokens and openings under way."""

    def __init__(
        self,
        authenticator: Authenticator,
        sessions: Sessions,
        holders: Holders,
        *,
        per_identity: int,
        per_invitation: int,
    ) -> None:
        self._authenticator = authenticator
        self._sessions = sessions
        self._holders = holders
        self._per_identity = per_identity
        self._per_invitation = per_invitation
        self._used = ExpiringSet()
        self._opening: list[Claims] = []

    @contextlib.contextmanager
    def opening(self, bearer: Bearer, *, once: bool = False, field: str | None = None) -> Iterator[None]:
        """Stands around the opening of a session.

        The token is used up from the start, so that two openings at once cannot share it, and given back when
        no session came of it.

        ``once``: a reusable token is used up as well. ``field`` is blamed.

        Raises:
            Unauthorized: ``TokenUsed``, or withdrawn since it was checked.
            LimitReached: the identity or the invitation holds as many sessions as it may.
            RateLimited: too many used tokens to remember another.
        """
        claims = bearer.claims
        self._authenticator.check_standing(claims)
        used_up = once or not claims.reusable
        if used_up:
            if claims.jti in self._used:
                raise TokenUsed(field=field)
            self._check_places(claims, field)
            self._used.add(claims.jti, claims.exp + tokens.LEEWAY_SECONDS, self._authenticator.now_seconds())
        self._opening.append(claims)
        try:
            yield
        except BaseException:
            if used_up:
                self._used.discard(claims.jti)
            raise
        finally:
            self._opening.remove(claims)

    def _check_places(self, claims: Claims, field: str | None) -> None:
        # A reusable token is its maker's own and its sessions are bounded by the room.
        if claims.reusable:
            return
        standing = [
            other
            for other in (*self._opening, *self._sessions.claims(), *self._holders.claims())
            if not other.reusable
        ]
        # Subjects are random where an invitation is exchanged: there it is the invitation that counts.
        if sum(other.sub == claims.sub for other in standing) >= self._per_identity:
            raise LimitReached("too many sessions of this identity", field=field)
        if (
            claims.inv
            and sum(other.inv[-1:] == claims.inv[-1:] for other in standing) >= self._per_invitation
        ):
            raise LimitReached("too many sessions by this invitation", field=field)
