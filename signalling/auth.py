"""Who is this: tokens checked against the server's keys, single use, revocation.

The only user of ``tokens.py``.

State is in memory: a restart forgets revocations and used
tokens. Join tokens live ten minutes, so that is the window.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mediaserver.ids import room_id
from mediaserver.participant import Identity
from mediaserver.policy import RIGHTS, Right, Role
from signalling import tokens
from signalling.errors import RateLimited, TokenUsed, Unauthorized
from signalling.keys import TokenKeys
from signalling.tokens import Audience, Claims

MAX_REMEMBERED = 100_000
"""Used or revoked token ids held at once; each is dropped when its token has expired."""


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


@dataclass(frozen=True, slots=True, repr=False)
class Bearer:
    """A token that holds: its claims and what they entitle to."""

    claims: Claims
    rights: frozenset[Right]

    @property
    def role(self) -> Role:
        return self.claims.role

    def may_see_room(self, room: str) -> bool:
        """Whether the token speaks for this room at all."""
        return self.claims.room in (room, tokens.ANY_ROOM)

    def identity(self) -> Identity:
        """As the media server knows its holder. Raises ``Unauthorized`` for a token of all rooms."""
        if self.claims.room == tokens.ANY_ROOM:
            raise Unauthorized("this token inspects rooms and enters none")
        return Identity(self.claims.sub, room_id(self.claims.room), self.claims.role, self.rights)


class Authenticator:
    """Checks tokens and remembers which were used up or withdrawn.

    ``now`` gives Unix seconds; tests move it.
    """

    def __init__(
        self,
        keys: TokenKeys,
        now: Callable[[], float],
        *,
        join_lifetime_seconds: int = tokens.JOIN_LIFETIME_SECONDS,
    ) -> None:
        self._keys = keys
        self._now = now
        self._join_lifetime_seconds = join_lifetime_seconds
        self._used = ExpiringSet()
        self._revoked = ExpiringSet()

    def check(self, token: str, audience: Audience = Audience.JOIN) -> Bearer:
        """Any use of a token but the WebSocket join. Raises ``Unauthorized``."""
        claims = tokens.read(self._keys, token, audience=audience, now_seconds=self._now())
        return self._unrevoked(claims)

    def check_holder(self, token: str, jti: str) -> Bearer:
        """For PATCH and DELETE of a session that ``jti`` began:
        that very token, expired or not, or a living one.

        A broadcast outlives its ten-minute token and its encoder knows no other. Raises ``Unauthorized``.
        """
        claims = tokens.read(
            self._keys, token, audience=Audience.JOIN, now_seconds=self._now(), expired_is_fine=True
        )
        if claims.jti != jti:
            return self.check(token)
        return self._unrevoked(claims)

    def check_once(self, token: str) -> Bearer:
        """The WebSocket join: uses the token up. Raises ``Unauthorized`` (``TokenUsed``), ``RateLimited``."""
        bearer = self.check(token)
        if bearer.claims.jti in self._used:
            raise TokenUsed(field="$.token")
        self._used.add(bearer.claims.jti, bearer.claims.exp + tokens.LEEWAY_SECONDS, self._now())
        return bearer

    def revoke(self, claims: Claims) -> None:
        """From now on neither this token holds nor one that was exchanged for it."""
        self._revoked.add(claims.jti, claims.exp + tokens.MAX_LIFETIME_SECONDS, self._now())

    def is_revoked(self, claims: Claims) -> bool:
        """Whether the token or its invitation was withdrawn."""
        return claims.jti in self._revoked or (claims.inv is not None and claims.inv in self._revoked)

    def exchange(self, invitation: str, name: str | None) -> tuple[str, Claims]:
        """A fresh join token for the holder of an invitation. Raises ``Unauthorized``."""
        invited = self.check(invitation, Audience.INVITE).claims
        return self.issue(
            tokens.new_claims(
                audience=Audience.JOIN,
                room=invited.room,
                role=invited.role,
                now_seconds=self._now(),
                lifetime_seconds=self._join_lifetime_seconds,
                name=invited.name or name,
                rights=None if invited.rights is None else frozenset(invited.rights),
                invitation=invited.jti,
            )
        )

    def issue(self, claims: Claims) -> tuple[str, Claims]:
        """Signs; the caller has checked that it may."""
        return tokens.sign(self._keys, claims), claims

    def now_seconds(self) -> float:
        """Unix time as this object sees it."""
        return self._now()

    def _unrevoked(self, claims: Claims) -> Bearer:
        if self.is_revoked(claims):
            raise Unauthorized("the token was withdrawn; ask for a new link or token")
        return Bearer(claims, claims.granted())


_RANK = {Role.OBSERVER: 0, Role.STAFF: 1, Role.SPECIALIST: 1, Role.MODERATOR: 2, Role.SURGEON: 3}
"""Who may invite whom: never above oneself.

An operator stands outside: no pictures, so no token that shows any.
"""


def may_invite(inviter: Bearer, room: str, role: Role) -> bool:
    """Whether a token may make another, for this room and role.

    With ``moderate``: for the own room, up to the own role. With ``inspect``: operators of the own
    room or rooms only, for an operator who could make a surgeon's token could see every picture.
    """
    if not inviter.may_see_room(room):
        return False
    if role is Role.OPERATOR:
        return Right.INSPECT in inviter.rights
    if not {Right.MODERATE, Right.SUBSCRIBE} <= inviter.rights:
        return False
    # A narrowed token could make a wider one of its own role.
    narrowed = inviter.rights != RIGHTS[inviter.role]
    return not narrowed and _RANK[role] <= _RANK.get(inviter.role, -1)
