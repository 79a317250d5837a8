"""Who may do what with which token: holders, revocation, invitations."""

from __future__ import annotations

import pytest

from mediaserver.errors import NotPermitted
from mediaserver.policy import RIGHTS, Right, Role
from signalling import tokens
from signalling.auth import Authenticator, Bearer, descent, may_invite
from signalling.errors import Unauthorized
from signalling.tokens import Audience
from tests.signalling.test_tokens import KEYS, NOW, claims


class Time:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def authenticator(clock: Time) -> Authenticator:
    return Authenticator(KEYS, clock)


def test_the_holder_of_a_session_may_end_it_after_its_token_expired(
    authenticator: Authenticator, clock: Time
) -> None:
    made = claims()
    token, other = tokens.sign(KEYS, made), tokens.sign(KEYS, claims())
    clock.now += 3600
    assert authenticator.check_holder(token, made.jti).claims == made
    with pytest.raises(Unauthorized):
        authenticator.check_holder(other, made.jti)
    with pytest.raises(Unauthorized):
        authenticator.check(token)


def test_an_invitation_is_exchanged_and_withdrawn(authenticator: Authenticator) -> None:
    invited = claims(audience=Audience.INVITE, role=Role.SPECIALIST, lifetime_seconds=12 * 3600)
    invitation = tokens.sign(KEYS, invited)
    with pytest.raises(Unauthorized):
        authenticator.check(invitation)
    token, made = authenticator.exchange(invitation, "Dr Bình")
    assert (made.role, made.room, made.name) == (Role.SPECIALIST, "7QK2", "Dr Bình")
    assert made.exp - made.iat == 600
    authenticator.check(token)
    authenticator.revoke(invited)
    for attempt in (lambda: authenticator.check(token), lambda: authenticator.exchange(invitation, None)):
        with pytest.raises(Unauthorized, match="withdrawn"):
            attempt()


def test_an_invitation_narrows_what_it_is_exchanged_for(authenticator: Authenticator) -> None:
    invitation = tokens.sign(
        KEYS, claims(audience=Audience.INVITE, rights=frozenset({Right.SUBSCRIBE}), name="Fixed")
    )
    token, made = authenticator.exchange(invitation, "")
    assert authenticator.check(token).rights == {Right.SUBSCRIBE}
    assert made.name == "Fixed"


@pytest.mark.parametrize(
    ("inviter", "may"),
    [
        (Role.SURGEON, {Role.SURGEON, Role.STAFF, Role.SPECIALIST, Role.MODERATOR, Role.OBSERVER}),
        (Role.MODERATOR, {Role.STAFF, Role.SPECIALIST, Role.MODERATOR, Role.OBSERVER}),
        (Role.STAFF, set()),
        (Role.SPECIALIST, set()),
        (Role.OBSERVER, set()),
        (Role.OPERATOR, {Role.OPERATOR}),
    ],
)
def test_who_may_invite_whom(inviter: Role, may: set[Role]) -> None:
    bearer = Bearer(claims(role=inviter), RIGHTS[inviter])
    assert {role for role in Role if may_invite(bearer, "7QK2", role)} == may
    assert not any(may_invite(bearer, "other", role) for role in Role)


def test_a_narrowed_token_invites_nobody() -> None:
    bearer = Bearer(claims(), frozenset({Right.SUBSCRIBE, Right.CHAT}))
    assert not any(may_invite(bearer, "7QK2", role) for role in Role)


def test_withdrawing_reaches_everything_that_came_of_it(authenticator: Authenticator, clock: Time) -> None:
    first = claims(audience=Audience.INVITE)
    chain = [first]
    for _ in range(3):
        token, joined = authenticator.exchange(tokens.sign(KEYS, chain[-1]), "")
        invited = claims(audience=Audience.INVITE, ancestors=descent(authenticator.check(token)))
        chain += [joined, invited]
    beside = claims(audience=Audience.INVITE)
    authenticator.revoke(chain[2])
    assert [authenticator.is_revoked(one) for one in chain] == [False] * 2 + [True] * 5
    assert not authenticator.is_revoked(beside)
    # The last of them could have been made a moment before, for seven days.
    clock.now += tokens.MAX_LIFETIME_SECONDS
    assert authenticator.is_revoked(chain[-1])


def test_an_expired_token_can_be_withdrawn_for_what_came_of_it(
    authenticator: Authenticator, clock: Time
) -> None:
    made = claims()
    token = tokens.sign(KEYS, made)
    invited = claims(audience=Audience.INVITE, ancestors=descent(authenticator.check(token)))
    clock.now += 3600
    authenticator.revoke(authenticator.check_signed(token))
    assert authenticator.is_revoked(invited)
    assert authenticator.check_signed(token) == made, "and again"
    with pytest.raises(Unauthorized):
        authenticator.check_signed(token[:-4] + "AAAA")


def test_a_chain_of_invitations_ends(authenticator: Authenticator) -> None:
    invitation = tokens.sign(KEYS, claims(audience=Audience.INVITE))
    for _ in range(tokens.MAX_ANCESTORS // 2 - 1):
        token, _ = authenticator.exchange(invitation, "")
        inviter = authenticator.check(token)
        invitation = tokens.sign(KEYS, claims(audience=Audience.INVITE, ancestors=descent(inviter)))
    token, last = authenticator.exchange(invitation, "")
    assert len(last.inv) == tokens.MAX_ANCESTORS - 1
    assert len(token) < tokens.MAX_TOKEN_CHARACTERS
    with pytest.raises(NotPermitted):
        descent(authenticator.check(token))
