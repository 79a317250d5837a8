"""Who is this: tokens checked against the server's keys, invitations exchanged, both withdrawn.

Revocations are in memory: a restart forgets them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mediaserver.audit import AddressClass
from mediaserver.errors import NotPermitted
from mediaserver.ids import room_id
from mediaserver.participant import Identity
from mediaserver.policy import RIGHTS, Right, Role
from signalling import tokens
from signalling.errors import Unauthorized
from signalling.expiring_set import ExpiringSet
from signalling.keys import TokenKeys
from signalling.tokens import Audience, Claims


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

    def identity(self, address_class: AddressClass | None = None) -> Identity:
        """As the media server knows its holder. Raises ``Unauthorized`` for a token of all rooms."""
        if self.claims.room == tokens.ANY_ROOM:
            raise Unauthorized("this token inspects rooms and enters none")
        claims = self.claims
        return Identity(
            claims.sub, room_id(claims.room), claims.role, self.rights, address_class, claims.clinical
        )


class Authenticator:
    """Checks tokens and remembers which were withdrawn.

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
        self._revoked = ExpiringSet()

    def check(self, token: str, audience: Audience = Audience.JOIN) -> Bearer:
        """Who holds this token. What it may still open is asked of ``admission``. Raises ``Unauthorized``."""
        claims = tokens.read(self._keys, token, audience=audience, now_seconds=self._now())
        return self._unrevoked(claims)

    def check_any(self, token: str) -> Bearer:
        """Who holds this token or invitation: to know who it is that was refused. Raises ``Unauthorized``."""
        return self._unrevoked(tokens.read(self._keys, token, audience=None, now_seconds=self._now()))

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

    def check_signed(self, token: str) -> Claims:
        """A token or invitation of this server, holding or not: what a withdrawal names.

        What descends from a token outlives it, so an expired one can be withdrawn too.

        Raises ``Unauthorized``.
        """
        return tokens.read(self._keys, token, audience=None, now_seconds=self._now(), expired_is_fine=True)

    def revoke(self, claims: Claims) -> None:
        """From now on neither this token holds nor any that came of it, however far removed.

        Raises ``RateLimited``.
        """
        # Nothing new comes of a withdrawn token, so the last of its descendants expires a lifetime from now.
        last = self._now() + tokens.MAX_LIFETIME_SECONDS + 2 * tokens.LEEWAY_SECONDS
        self._revoked.add(claims.jti, last, self._now())

    def is_revoked(self, claims: Claims) -> bool:
        """Whether the token, or one that it descends from, was withdrawn."""
        return any(jti in self._revoked for jti in (claims.jti, *claims.inv))

    def check_standing(self, claims: Claims) -> None:
        """Raises ``Unauthorized`` for a token that was withdrawn since it was checked."""
        if self.is_revoked(claims):
            raise Unauthorized("the token was withdrawn; ask for a new link or token")

    def exchange(self, invitation: str, name: str | None, procedure: str | None = None) -> tuple[str, Claims]:
        """A fresh join token for the holder of an invitation, of the procedure that the room serves unless
        they were invited to one. Raises ``Unauthorized``."""
        invited = self.check(invitation, Audience.INVITE).claims
        return self.issue(
            tokens.new_claims(
                audience=Audience.JOIN,
                room=invited.room,
                role=invited.role,
                now_seconds=self._now(),
                lifetime_seconds=self._join_lifetime_seconds,
                name=invited.name or name,
                self_named=invited.vouched_name is None,
                rights=None if invited.rights is None else frozenset(invited.rights),
                ancestors=(*invited.inv, invited.jti),
                clinical=invited.clinical,
                procedure=invited.procedure or procedure,
            )
        )

    def issue(self, claims: Claims) -> tuple[str, Claims]:
        """Signs; the caller has checked that it may."""
        return tokens.sign(self._keys, claims), claims

    def now_seconds(self) -> float:
        """Unix time as this object sees it."""
        return self._now()

    def _unrevoked(self, claims: Claims) -> Bearer:
        self.check_standing(claims)
        return Bearer(claims, claims.granted())


_RANK = {Role.OBSERVER: 0, Role.STAFF: 1, Role.SPECIALIST: 1, Role.MODERATOR: 2, Role.SURGEON: 3}
"""Who may invite whom: never above oneself.

An operator stands outside: no pictures, so no token that shows any. So does an auditor, whom nobody whose
doings are audited can make: `loupe token` alone does.
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
    if role not in _RANK or not {Right.MODERATE, Right.SUBSCRIBE} <= inviter.rights:
        return False
    # A narrowed token could make a wider one of its own role.
    narrowed = inviter.rights != RIGHTS[inviter.role]
    return not narrowed and _RANK[role] <= _RANK.get(inviter.role, -1)


def descent(inviter: Bearer) -> tuple[str, ...]:
    """What a token that this one's holder makes descends from: whoever was invited falls with who invited.

    Raises ``NotPermitted`` at the end of a chain of invitations that is too long.
    """
    chain = (*inviter.claims.inv, inviter.claims.jti)
    # One place is left for the join token that an invitation is exchanged for.
    if len(chain) >= tokens.MAX_ANCESTORS:
        raise NotPermitted("invited over too many times; ask somebody nearer to the first invitation")
    return chain
